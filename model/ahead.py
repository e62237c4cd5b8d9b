"""Reading ahead: an iterator that works in a thread of its own while what it gives is used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

T = TypeVar("T")

_LOOK = 0.1  # seconds between two looks whether a thread that waits for room is still wanted
_END = StopIteration()


def ahead(items: Iterator[T], depth: int) -> Generator[T]:
    """Runs an iterator in a thread of its own, at most `depth` items ahead.

    Closing it ends the thread, and closes the iterator there. The thread begins with the first item that is asked for.

    Raises:
        BaseException: what the iterator raises, after the items before it.
    """
    box: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
    stop = threading.Event()

    def put(entry: tuple[T | None, BaseException | None]) -> None:
        while not stop.is_set():
            try:
                box.put(entry, timeout=_LOOK)
                return
            except queue.Full:
                continue

    def run() -> None:
        failure: BaseException | None = None
        try:
            for item in items:
                put((item, None))
                if stop.is_set():
                    break
        except BaseException as error:  # handed to the reader, which raises it
            failure = error
        close: Callable[[], None] | None = getattr(items, "close", None)
        if close is not None:
            close()
        put((None, failure or _END))

    thread = threading.Thread(target=run, name="framewatch-reader", daemon=True)
    thread.start()
    try:
        while True:
            item, failure = box.get()
            if failure is _END:
                return
            if failure is not None:
                raise failure
            yield item  # type: ignore[misc]  # an entry without a failure holds an item
    finally:
        stop.set()
        thread.join()
