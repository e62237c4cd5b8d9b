"""The folder of events' files: names, whole files or none, and what is removed when it becomes too much."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from model.atomic import atomic_path
from service.recorder.records import EventFiles

CLIP, SNAPSHOT, HEAT_MAP = "clip.mp4", "snapshot.jpg", "heatmap.png"
SPOOL: Final = "pictures.part"
_UNDONE: Final = ".framewatch-"
log = logging.getLogger(__name__)


class Table(Protocol):
    """What is known of events' files (`Store.files`)."""

    def put(self, files: EventFiles) -> Future[bool]: ...
    def of(self, events: Collection[int]) -> dict[int, EventFiles]: ...
    def oldest(self, limit: int) -> list[EventFiles]: ...
    def kept_bytes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class ShelfLimits:
    """How much is kept.

    Attributes:
        bytes: of all files together.
        age_s: seconds after which files are removed; None: never.
        short_of_space: whether the disk is; then the oldest go too.
    """

    bytes: int
    age_s: float | None = None
    short_of_space: Callable[[], bool] = lambda: False


class Shelf:
    """A folder with a folder for each event. For one thread, but for `path`."""

    def __init__(self, folder: Path, table: Table, limits: ShelfLimits, clock: Callable[[], float]) -> None:
        """Makes it; the folder is made when it is needed.

        Args:
            folder: of all events.
            table: what is known of them.
            limits: how much is kept.
            clock: seconds since 1970.
        """
        self._folder = folder
        self._table = table
        self._limits = limits
        self._clock = clock

    def path(self, event: int, name: str) -> Path:
        """Where a file of an event is, if it is there."""
        return self._folder / str(event) / name

    def room(self, event: int) -> Path:
        """The folder of an event.

        Raises:
            OSError: it cannot be made.
        """
        folder = self._folder / str(event)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def put(self, event: int, name: str, data: bytes) -> None:
        """Writes a file, whole or not at all, in the place of one of that name.

        Raises:
            OSError: it cannot be written.
        """
        with atomic_path(self.room(event) / name) as path:
            path.write_bytes(data)

    def size(self, event: int) -> int:
        """Bytes of an event's finished files."""
        paths = (self.path(event, name) for name in (CLIP, SNAPSHOT, HEAT_MAP))
        return sum(path.stat().st_size for path in paths if path.exists())

    def tidy(self) -> int:
        """Removes the files of the oldest events while they are too old, too many bytes, or the disk is short of space.

        The files of an event whose clip is being written stay.

        Returns:
            Of how many events.

        Raises:
            StoreUnavailable: nothing can be read of the table.
        """
        count = 0
        while (found := self._table.oldest(1)) and (why := self._too_much(found[0])):
            self.remove(found[0].event)
            gone = EventFiles(found[0].event, found[0].stream, "none", why, noted=self._clock())
            if not self._table.put(gone).result():
                break  # nothing can be stored at the moment
            count += 1
            log.info("event %d: its clip was %s", gone.event, why)
        return count

    def sweep(self, busy: Collection[int]) -> int:
        """Removes what a crash or a purge left: files that are not whole, and those of events that are not known.

        Args:
            busy: events whose files are being written.

        Returns:
            How many folders and files.
        """
        if not self._folder.is_dir():
            return 0
        count = 0
        folders = {int(path.name): path for path in self._folder.iterdir() if path.name.isdecimal()}
        known: set[int] = set()
        ids = sorted(folders)
        for first in range(0, len(ids), 500):
            known |= self._table.of(ids[first : first + 500]).keys()
        for event, path in folders.items():
            if event in busy:
                continue
            if event not in known:
                shutil.rmtree(path, ignore_errors=True)
                count += 1
                continue
            for undone in path.glob(_UNDONE + "*"):
                undone.unlink(missing_ok=True)
                count += 1
        return count

    def discard(self, event: int, name: str) -> None:
        """Removes a file of an event, if it is there."""
        with suppress(OSError):
            self.path(event, name).unlink()

    def remove(self, event: int) -> None:
        """Removes the files of an event."""
        shutil.rmtree(self._folder / str(event), ignore_errors=True)

    def _too_much(self, oldest: EventFiles) -> str:
        """Why the files of the oldest event have to go, or ""."""
        limits = self._limits
        if limits.age_s is not None and self._clock() - oldest.noted > limits.age_s:
            return "removed: older than clips are kept"
        if self._table.kept_bytes() > limits.bytes:
            return "removed: newer clips needed the space"
        if limits.short_of_space():
            return "removed: the disk was short of space"
        return ""
