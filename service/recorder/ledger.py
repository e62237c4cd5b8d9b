"""What is known of the files of events while they are written: stored with every step, and told once that is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

from service.recorder.records import EventFiles
from service.recorder.shelf import Table


class Ledger:
    """The events that are open, recorded or encoded. For one thread."""

    def __init__(
        self,
        table: Table,
        *,
        size: Callable[[int], int],
        on_files: Callable[[EventFiles], object],
        clock: Callable[[], float],
    ) -> None:
        """Makes it empty.

        Args:
            table: where it is stored.
            size: bytes of an event's finished files.
            on_files: see `Recorder`.
            clock: seconds since 1970.
        """
        self._table = table
        self._size = size
        self._on_files = on_files
        self._clock = clock
        self._files: dict[int, EventFiles] = {}
        self._muted: set[int] = set()

    def __contains__(self, event: int) -> bool:
        return event in self._files

    def __iter__(self) -> Iterator[int]:
        return iter(self._files)

    def get(self, event: int) -> EventFiles | None:
        """What is known of an event's files; None: nothing more is to be written."""
        return self._files.get(event)

    def keep(self, files: EventFiles) -> None:
        """Remembers it until the next `put` stores it."""
        self._files[files.event] = files

    def mute(self, event: int) -> None:
        """Nobody is to be told of this event's files."""
        self._muted.add(event)

    def put(self, files: EventFiles, *, told: bool = False) -> None:
        """Stores what is known of an event's files; `told`: whoever wants to know hears of it then."""
        files = replace(files, bytes=self._size(files.event), noted=self._clock())
        self.keep(files)
        stored = self._table.put(files)
        if told and files.event not in self._muted:
            stored.add_done_callback(partial(self._tell, files))

    def settle(self, event: int) -> None:
        """Forgets an event whose clip is written, failed, or not to be."""
        files = self._files.get(event)
        if files is not None and files.state != "waiting":
            self._forget(event)

    def purge(self, stream: str) -> list[int]:
        """Forgets the events of a stream; gives their ids."""
        gone = [files.event for files in self._files.values() if files.stream == stream]
        for event in gone:
            self._forget(event)
        return gone

    def _forget(self, event: int) -> None:
        del self._files[event]
        self._muted.discard(event)

    def _tell(self, files: EventFiles, stored: Future[bool]) -> None:
        if not stored.cancelled() and stored.exception() is None and stored.result():
            self._on_files(files)
