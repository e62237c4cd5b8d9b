"""One source of a child: read, timed, tried again when it fails, given up when that is of no use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Final, Protocol

from service.addresses import AddressError, parse_source
from service.readers.backoff import Backoff
from service.readers.failures import ErrorClass, ReadError
from service.readers.files import FileSource
from service.readers.mjpeg import MjpegSource
from service.readers.outbox import Outbox
from service.readers.pictures import STILLS_A_SECOND, Bad, Picture, Source, jpeg
from service.readers.protocol import Order, ReadOptions
from service.readers.pulse import Pulse
from service.readers.rtsp import RtspSource
from service.readers.timing import Pacer, RateCap, SourceClock
from service.readers.webcam import WebcamSource
from service.records import Dropped, Health, IncomingFrame

_SLACK: Final = 60.0  # seconds that looking up a name may take, beyond the timeouts
_MAY_PASS: Final = frozenset([ErrorClass.CODEC, ErrorClass.NOT_FOUND])
"""Of a source that has worked: damaged, but not of another kind; a relay whose own camera is away for a moment."""


class OpenSource(Protocol):
    """Makes the source of an order, of which `first` frames have been read."""

    def __call__(self, order: Order, options: ReadOptions, first: int) -> Source: ...


def open_source(order: Order, options: ReadOptions, first: int) -> Source:
    """The source that an order means; nothing is opened yet.

    Raises:
        ReadError: a URL that is not read from.
    """
    if order.kind == "file":
        return FileSource(Path(order.where), loop=order.loop, seamless=order.seamless, colour=order.colour, first=first)
    if order.kind == "webcam":
        return WebcamSource(int(order.where), colour=order.colour)
    try:
        url = parse_source(order.where)
    except AddressError as error:
        raise ReadError(ErrorClass.REFUSED, str(error)) from None
    if url.scheme.startswith("rtsp"):
        return RtspSource(url, options, colour=order.colour)
    return MjpegSource(url, options)


class Camera:
    """Reads one source in a thread of its own until it ends, fails for good, or is stopped.

    Attributes:
        order: what it reads.
        tries: how often it has begun to open the source.
        out_of_memory: it could not go on for want of memory; the child should end.
    """

    def __init__(
        self, order: Order, options: ReadOptions, outbox: Outbox, *, open_it: OpenSource = open_source
    ) -> None:
        """Makes it; `start` begins to read."""
        self.order = order
        self.tries = 0
        self.out_of_memory = False
        self._options = options
        self._outbox = outbox
        self._open_it = open_it
        self._queue = outbox.open(order.key, order.policy)
        self._backoff = Backoff(options.first_wait, options.longest_wait)
        watched = order.kind != "file"
        self._pulse = Pulse(options.stalled_after, options.identical_after, watch_identical=watched)
        self._pulse_lock = threading.Lock()
        self._cap = RateCap(order.max_rate)
        self._shown = RateCap(STILLS_A_SECOND)
        self._policy = order.policy
        self._number = order.first
        self._source: Source | None = None
        self._stopped = threading.Event()
        self._busy_since: float | None = None  # None: it waits, for its time or for room
        self._held = False
        self._thread = threading.Thread(target=self._run, name=f"framewatch-source-{order.key}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End reading, soon and without waiting for it; nothing more is sent of it."""
        self._stopped.set()
        self._outbox.forget(self._queue)
        source = self._source
        if source is not None:
            source.interrupt()

    def change(self, order: Order) -> None:
        """Another policy and rate from now on."""
        self._policy = order.policy
        self._cap = RateCap(order.max_rate)
        self._queue.change(order.policy)

    def more(self, taken: int) -> None:
        """The service has taken frames."""
        self._queue.more(taken)

    def tick(self, now: float) -> None:
        """Time goes by: notice a source that is silent."""
        with self._pulse_lock:
            if self._held:
                self._pulse.held(now)
            elif self.order.kind != "file" and self._pulse.tick(now):
                self._tell()

    def stuck(self, now: float) -> bool:
        """Whether it is past every timeout and cannot be helped but by ending the child."""
        since = self._busy_since
        return since is not None and now - since > self._options.open_timeout + self._options.read_timeout + _SLACK

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._read()
            except ReadError as error:
                if not self._wait_after(error):
                    return
            except MemoryError:
                self.out_of_memory = True
                return
            except Exception as error:  # a fault of ours must not end the stream in silence
                said = f"reading failed inside the service ({type(error).__name__})"
                if not self._wait_after(ReadError(ErrorClass.READER, said)):
                    return
            else:
                if self._queue.drain():
                    self._happened(Pulse.ended)
                return

    def _wait_after(self, error: ReadError) -> bool:
        """Tell of a failure and wait until it is time for the next try; False if there is none."""
        if self._stopped.is_set():
            return False
        may_pass = self._pulse.worked and error.error_class in _MAY_PASS
        wait = None if error.permanent and not may_pass else self._backoff.next()
        self._happened(lambda pulse: pulse.failed(error, wait))
        self._busy_since = None
        return wait is not None and not self._stopped.wait(wait)

    def _read(self) -> None:
        """Read the source once, from opening it to its end. Raises ReadError."""
        self.tries += 1
        self._busy_since = time.monotonic()
        self._source = source = self._open_it(self.order, self._options, self._number)
        clock = SourceClock() if source.live else None
        pacer = Pacer()
        with closing(_explained(source.pictures())) as pictures:
            while not self._stopped.is_set() and (found := next(pictures, None)) is not None:
                if isinstance(found, Bad):
                    self._queue.drop(Dropped.BAD)
                    self._number += clock is not None
                else:
                    self._backoff.reset()
                    self._take(found, clock, pacer)
                self._busy_since = time.monotonic()
        if source.live and not self._stopped.is_set():
            raise ReadError(ErrorClass.CONNECTION, "the camera ended the stream")

    def _take(self, picture: Picture, clock: SourceClock | None, pacer: Pacer) -> None:
        number = self._number if picture.number is None else picture.number
        self._number = number + 1
        now = time.monotonic()
        self._happened(lambda pulse: pulse.picture(picture.data, now))
        if clock is not None:
            pts = clock.stamp(picture.pts)
        else:
            pts = picture.pts or 0.0
            if self._policy == "latest":  # played at its own speed, as a camera would
                self._busy_since = None
                self._stopped.wait(pacer.wait(pts, now))
        if not self._cap.take(pts):
            self._queue.drop(Dropped.RATE)
            return
        self._busy_since = None
        captured = time.time()
        self._held = True
        self._show(picture, captured)
        self._queue.put(IncomingFrame(number, pts, captured, picture.data))
        self._held = False

    def _show(self, picture: Picture, captured: float) -> None:
        """A decoded picture as a JPEG for people, now and then: encoded here, and once."""
        if self._options.stills and not isinstance(picture.data, bytes) and self._shown.take(captured):
            self._queue.show(captured, jpeg(picture.data if picture.colour is None else picture.colour()))

    def _happened(self, event: Callable[[Pulse], bool]) -> None:
        with self._pulse_lock:
            if event(self._pulse) and not self._stopped.is_set():
                self._tell()

    def _tell(self) -> None:
        self._outbox.say(self._pulse.condition.message(self.order.key))

    @property
    def over(self) -> bool:
        """Whether it has ended or failed for good, and said so."""
        return self._pulse.condition.health in (Health.ENDED, Health.FAILED)


def _explained(pictures: Generator[Picture | Bad, None, None]) -> Generator[Picture | Bad, None, None]:
    """The pictures. Where there was no good one among them, that is what a timeout says: the camera does answer."""
    bad: str | None = ""
    with closing(pictures):
        try:
            for found in pictures:
                if isinstance(found, Picture):
                    bad = None
                elif bad is not None:
                    bad = found.reason
                yield found
        except ReadError as error:
            if bad and error.error_class is ErrorClass.TIMEOUT:
                raise ReadError(error.error_class, f"none of its pictures can be used: {bad}") from None
            raise
