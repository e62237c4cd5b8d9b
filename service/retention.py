"""How long scores and jobs are kept: up to an age and up to a size, oldest first."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from service.store import StoreUnavailable

CHUNK = 2000  # rows deleted in one write: some milliseconds, in which scores wait
_ROUND = 0.01  # of the time between the oldest score and now: what a round over all streams deletes
_LOW = 0.98  # deleting stops below this part of the limit, so that it does not start again at once
_ROOM = 16 * 1024 * 1024  # bytes kept free inside the file while the disk is short of space, or this part of it:
_ROOM_PART = 0.1
_SHRINK = 0.1  # of the file: free space inside it that is worth giving back
_SHRINK_PAGES = 500
_JOBS = 50  # jobs removed in one write
_ROW = 80  # bytes that a frame of a job takes, about

log = logging.getLogger(__name__)


class Keeper(Protocol):
    """The part of a store that retention needs (`Store.upkeep`)."""

    def score_bytes(self) -> tuple[int, int]: ...
    def oldest_score(self) -> float | None: ...
    def delete_scores(self, before: float, limit: int) -> int: ...
    def prune_jobs(self, *, before: float, most: int, most_frames: int, limit: int) -> int: ...
    def sweep(self, limit: int) -> int: ...
    def shrink(self, pages: int) -> int: ...


@dataclass(frozen=True, slots=True)
class JobLimits:
    """Which jobs that have ended are kept.

    Attributes:
        count: so many of them.
        bytes: of their scores, about.
        age_s: seconds since they ended; None: however many.
    """

    count: int = 10_000
    bytes: int = 5_000_000_000
    age_s: float | None = None


class Retention:
    """Deletes the oldest scores of all streams in small chunks, every now and then, in a thread of its own."""

    def __init__(
        self,
        keeper: Keeper,
        *,
        max_bytes: int,
        max_age_s: float | None = None,
        jobs: JobLimits | None = None,
        short_of_space: Callable[[], bool] = lambda: False,
        every_s: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Makes it; `start` begins.

        Args:
            keeper: the store's upkeep.
            max_bytes: size of the scores' file above which the oldest are deleted.
            max_age_s: seconds after which a score is deleted; None: never.
            jobs: which are kept.
            short_of_space: whether the disk is; then old scores make room for new ones inside the file
                (`disk_is_short`).
            every_s: seconds between two looks.
            clock: seconds since 1970.
        """
        self._keeper = keeper
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._jobs = jobs or JobLimits()
        self._short_of_space = short_of_space
        self._every_s = every_s
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        """Looks now, and again every `every_s`, until `close`."""
        self._thread.start()

    def close(self) -> None:
        """Ends the thread after the chunk it is at."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def run_once(self) -> int:
        """Deletes what is too old, too much or no longer wanted, and gives the file's free space back.

        Returns:
            How many scores were deleted because of their age or the size.

        Raises:
            StoreUnavailable: the store cannot be written at the moment.
        """
        self._prune_jobs()
        while not self._stop.is_set() and self._keeper.sweep(CHUNK):
            pass
        deleted = 0
        if self._max_age_s is not None:
            deleted += self._delete_before(self._clock() - self._max_age_s)
        deleted += self._delete_surplus()
        self._shrink()
        if deleted:
            log.info("retention deleted %d scores", deleted)
        return deleted

    def _prune_jobs(self) -> None:
        limits = self._jobs
        before = 0.0 if limits.age_s is None else self._clock() - limits.age_s
        pruned, count = 0, _JOBS
        while count == _JOBS and not self._stop.is_set():
            count = self._keeper.prune_jobs(
                before=before, most=limits.count, most_frames=limits.bytes // _ROW, limit=_JOBS
            )
            pruned += count
        if pruned:
            log.info("retention deleted %d jobs", pruned)

    def _delete_surplus(self) -> int:
        deleted, over = 0, self._too_large()
        while over and not self._stop.is_set():
            oldest = self._keeper.oldest_score()
            if oldest is None:
                break
            # a round takes a short stretch of time from every stream, so that the oldest of all go first
            count = self._delete_before(oldest + max(1.0, _ROUND * (self._clock() - oldest)))
            deleted += count
            over = count > 0 and self._too_large(_LOW)
        return deleted

    def _too_large(self, part: float = 1.0) -> bool:
        used, free = self._keeper.score_bytes()
        cramped = free < min(_ROOM, _ROOM_PART * (used + free))
        return used > part * self._max_bytes or (cramped and self._short_of_space())

    def _delete_before(self, moment: float) -> int:
        deleted = 0
        while not self._stop.is_set():
            count = self._keeper.delete_scores(moment, CHUNK)
            deleted += count
            if count < CHUNK:
                break
        return deleted

    def _shrink(self) -> None:
        """Free space is used again by new scores; only what they will not need for long is given back."""
        used, free = self._keeper.score_bytes()
        if free < _SHRINK * (used + free) or used + free < self._max_bytes or self._short_of_space():
            return
        before = None
        while not self._stop.is_set():
            left = self._keeper.shrink(_SHRINK_PAGES)
            if left == 0 or left == before:
                break
            before = left

    def _run(self) -> None:
        while True:
            try:
                self.run_once()
            except StoreUnavailable as error:
                log.info("retention waits: %s", error)
            except Exception:
                log.exception("retention failed; it tries again")
            if self._stop.wait(self._every_s):
                return


def disk_is_short(folder: Path, min_free_bytes: int) -> Callable[[], bool]:
    """Whether less is free on the disk of a folder than should be, for `Retention`."""
    return lambda: shutil.disk_usage(folder).free < min_free_bytes
