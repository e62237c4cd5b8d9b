"""The cameras and files that the service reads by itself, shared out over child processes."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol, Self

from service.addresses import parse_source
from service.networks import Networks
from service.readers.charge import Charge
from service.readers.crew import Crew
from service.readers.protocol import Condition, Kind, Order, ReadOptions, Vitals
from service.records import Dropped, Health, IncomingFrame, Policy

OnFrame = Callable[[str, IncomingFrame], bool]
OnHealth = Callable[[str, Health, str, str], None]
OnDropped = Callable[[str, Dropped, int], None]
OnStill = Callable[[str, float, bytes], None]

_PATIENCE: Final = 10.0
_MEMORY: Final = 1 << 30
_MEMORY_EACH: Final = 192 << 20  # 3840×2160 H.264 needs under 150 MiB
_DESCRIPTORS: Final = 64


class SourceError(ValueError):
    """A source that is not read; the message says why."""


class ReaderSettings(Protocol):
    """What readers need of the settings."""

    @property
    def open_timeout_s(self) -> float: ...

    @property
    def read_timeout_s(self) -> float: ...

    @property
    def stalled_after_s(self) -> float: ...

    @property
    def identical_after_s(self) -> float: ...

    @property
    def camera_networks(self) -> Sequence[str]:
        """See `service.networks.Networks`."""

    @property
    def sources(self) -> Mapping[str, str | int | Path]:
        """Names of local sources: a webcam's number, or the path of a file."""

    @property
    def max_frame_bytes(self) -> int: ...

    @property
    def max_pixels(self) -> int: ...


@dataclass(frozen=True, slots=True)
class CrewFacts:
    """How a child is.

    Attributes:
        pid: its process id; None while it is being replaced.
        sources: how many it reads.
        vitals: as it last said; None before its first word.
    """

    pid: int | None
    sources: int
    vitals: Vitals | None


class Readers:
    """Reads sources in child processes, several in each, and hands their frames over.

    The callbacks come from threads of the readers', for one source in order, and must not block. A source that has
    ended or failed for good is forgotten, and may be added again.

    Example:
        >>> with Readers(settings, on_frame=offer, on_health=note) as readers:  # doctest: +SKIP
        ...     readers.add("gate", "rtsp://10.0.0.5/live")
    """

    def __init__(
        self,
        settings: ReaderSettings,
        on_frame: OnFrame,
        on_health: OnHealth,
        *,
        on_dropped: OnDropped | None = None,
        loops: Mapping[str, Path] | None = None,
        on_still: OnStill | None = None,
        sources_per_child: int = 16,
        silence: float = 15.0,
        first_wait: float = 1.0,
        longest_wait: float = 60.0,
    ) -> None:
        """Makes the readers.

        Args:
            settings: of the service.
            on_frame: stream and frame; gives whether it was taken. With the policy `every`, one that was not is kept
                and offered again after `grant`.
            on_health: stream, health, reason, error class (or "").
            on_dropped: stream, cause, count: frames that came in and were dropped in the child.
            loops: names of the service's own files, whose ends go over into their beginnings.
            on_still: stream, capture time, JPEG: of sources whose frames come decoded, some of them as they are to be
                shown to people.
            sources_per_child: at most; a crash takes them all down for a second.
            silence: seconds after which a child that says nothing is replaced.
            first_wait, longest_wait: seconds between tries.
        """
        self._settings = settings
        self._on_frame, self._on_health, self._on_dropped = on_frame, on_health, on_dropped
        self._loops = loops or {}
        self._on_still = on_still
        self._per_child = sources_per_child
        self._silence = silence
        self._networks = Networks(settings.camera_networks)
        self._options = ReadOptions(
            open_timeout=settings.open_timeout_s,
            read_timeout=settings.read_timeout_s,
            stalled_after=settings.stalled_after_s,
            identical_after=settings.identical_after_s,
            networks=tuple(settings.camera_networks),
            frame_bytes=settings.max_frame_bytes,
            pixels=settings.max_pixels,
            first_wait=first_wait,
            longest_wait=longest_wait,
            stills=on_still is not None,
            memory=_MEMORY + sources_per_child * _MEMORY_EACH,
            descriptors=_DESCRIPTORS + 4 * sources_per_child,
        )
        self._keys = itertools.count(1)
        self._lock = threading.Lock()
        self._charges: dict[str, tuple[Charge, Crew]] = {}
        self._crews: list[Crew] = []
        self._open = False

    def start(self) -> Self:
        """Allow sources to be added. Children are started as they are needed."""
        self._open = True
        return self

    def check(self, source: str) -> None:
        """Refuse a source that could not be added, before anything is stored of it.

        Raises:
            SourceError, AddressError: see `add`.
        """
        self._find(source)

    def add(
        self,
        stream_id: str,
        source: str,
        *,
        loop: bool = False,
        colour: bool = False,
        max_rate: float | None = None,
        policy: Policy = "latest",
    ) -> None:
        """Begin to read a source.

        A live one is read as it comes. A file is played at its own speed with `latest`, as a camera would give it,
        and as fast as its frames are taken with `every`.

        Args:
            stream_id: names it in the callbacks.
            source: a camera's URL, or the name of a source in the settings. Files and webcams have no other way in.
            loop: begin a file anew at its end.
            colour: BGR instead of luma, where frames are decoded by the reader.
            max_rate: frames a second at most.
            policy: `latest` drops the oldest waiting frame, `every` holds the source back.

        Raises:
            AddressError: a URL that is not read from.
            SourceError: no such name in the settings, or the stream is being read already.
            RuntimeError: the readers are not started, or closed.
        """
        kind, where = self._find(source)
        order = Order(next(self._keys), kind, where, loop, colour, policy, max_rate, seamless=source in self._loops)
        with self._lock:
            if not self._open:
                raise RuntimeError("readers that are not open")
            if stream_id in self._charges:
                raise SourceError(f"stream {stream_id} is being read already")
            self._assign(Charge(stream_id, order))

    def change(self, stream_id: str, *, policy: Policy, max_rate: float | None) -> None:
        """Change a source's policy and rate while it is read; nothing happens if it is not."""
        with self._lock:
            if stream_id in self._charges:
                charge, crew = self._charges[stream_id]
                crew.change(charge, replace(charge.order, policy=policy, max_rate=max_rate))

    def grant(self, stream_id: str, credit: int = 1) -> None:
        """There is room for frames of a stream with the policy `every` again. Never blocks."""
        with self._lock:
            charge, crew = self._charges.get(stream_id, (None, None))
        if charge is not None and crew is not None and charge.held and credit > 0:
            crew.room(charge)

    def remove(self, stream_id: str) -> None:
        """Read a source no longer, whatever it does; callbacks that run now are the last. Never blocks."""
        with self._lock:
            found = self._charges.pop(stream_id, None)
        if found is not None:
            charge, crew = found
            crew.remove(charge)

    def facts(self) -> list[CrewFacts]:
        """How the children are."""
        with self._lock:
            return [CrewFacts(crew.pid, self._load(crew), crew.vitals) for crew in self._crews]

    def close(self) -> None:
        """End all reading, and wait for it."""
        with self._lock:
            self._open = False
            crews = self._crews.copy()
            for charge, _ in self._charges.values():
                charge.removed = True
            self._charges.clear()
        for crew in crews:
            crew.close()
        for crew in crews:
            crew.join(_PATIENCE)
        with self._lock:
            self._crews.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def frame(self, stream: str, frame: IncomingFrame) -> bool:
        """For the crews."""
        return self._on_frame(stream, frame)

    def condition(self, stream: str, condition: Condition) -> None:
        """For the crews."""
        self._on_health(stream, condition.health, condition.reason, condition.error_class or "")

    def dropped(self, stream: str, cause: Dropped, count: int) -> None:
        """For the crews."""
        if self._on_dropped is not None:
            self._on_dropped(stream, cause, count)

    def still(self, stream: str, captured: float, data: bytes) -> None:
        """For the crews."""
        if self._on_still is not None:
            self._on_still(stream, captured, data)

    def _find(self, source: str) -> tuple[Kind, str]:
        """What a source is, and where."""
        if "://" in source:
            parse_source(source, self._networks)
            return "url", source
        if source in self._loops:
            return "file", str(self._loops[source])
        if source not in self._settings.sources:
            raise SourceError(f"no source is named {source[:100]!r} in the settings, and it is no camera URL")
        local = self._settings.sources[source]
        if isinstance(local, int) or str(local).isdecimal():
            return "webcam", str(local)
        return "file", str(local)

    def _assign(self, charge: Charge, *, alone: bool = False) -> None:
        """Give a source to a crew with room, or to a new one. With the lock held."""
        fitting = (crew for crew in self._crews if not crew.alone and self._load(crew) < self._per_child)
        crew = None if alone else next(fitting, None)
        if crew is None:
            crew = Crew(
                self._options,
                self,
                silence=self._silence,
                alone=alone,
                leave=self._leave,
                finished=self._finished,
                suspect=self._set_apart,
            )
            self._crews.append(crew)
            crew.start()
        self._charges[charge.stream] = charge, crew
        crew.add(charge)

    def _load(self, crew: Crew) -> int:
        return sum(theirs is crew for _, theirs in self._charges.values())

    def _leave(self, crew: Crew) -> bool:
        with self._lock:
            if self._load(crew):
                return False
            self._crews.remove(crew)
            return True

    def _finished(self, charge: Charge) -> None:
        with self._lock:
            if self._charges.get(charge.stream, (None,))[0] is charge:
                del self._charges[charge.stream]

    def _set_apart(self, charge: Charge) -> None:
        with self._lock:
            if self._open and not charge.removed:
                self._assign(charge, alone=True)
