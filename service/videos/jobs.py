"""Videos that are scored as a whole: kept until their turn, decoded in the sandbox, scored on the live engine."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from model.clips import FootageError
from model.frames import PictureSizeError
from model.tables import Row
from service.models import Model, ModelError, Models
from service.problems import Problem, not_found, upload_too_large
from service.records import Job, JobState
from service.scorer import Scorer, ScorerError
from service.settings import Settings
from service.store import StoreUnavailable
from service.store.jobs import JobTable
from service.videos.job_run import JobOptions, JobRun
from service.videos.sandbox import DecodeLimits

ENDED: frozenset[JobState] = frozenset(["done", "failed", "cancelled"])
_AGAIN = 1.0  # seconds until a job that could not be stored is tried again
log = logging.getLogger(__name__)


class _Stopped(Exception):
    """The job is cancelled, or the service stops."""


class Jobs:
    """One job at a time, in order, in a thread of its own. What is unfinished at a stop begins anew at the next start.

    Attributes:
        folder: where uploads lie.
    """

    def __init__(
        self,
        settings: Settings,
        store: JobTable,
        models: Models,
        scorer: Scorer,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = settings.data_dir / "uploads"
        self._settings = settings
        self._store = store
        self._models = models
        self._scorer = scorer
        self._clock = clock
        self._changed = threading.Condition()
        self._open: dict[str, Job] = {}  # that wait or run, oldest first
        self._cancelled: set[str] = set()
        self._uploads: set[str] = set()  # that are under way
        self._running: JobRun | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="framewatch-jobs", daemon=True)

    @property
    def open(self) -> int:
        """How many jobs wait or run."""
        return len(self._open)

    def start(self) -> None:
        """Takes up what was left unfinished, removes uploads that belong to nothing, and begins."""
        left: list[Job] = []
        cursor: str | None = None
        while True:
            page, cursor = self._store.page(cursor, 200, states=("queued", "running"))
            left += page
            if cursor is None:
                break
        for job in reversed(left):
            self._store.clear_rows(job.id)
            job = replace(job, state="queued", started=None, progress=0.0, frames=0)
            self._store.put(job)
            self._open[job.id] = job
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                if path.name not in self._open:
                    shutil.rmtree(path, ignore_errors=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the job that runs, without a result; it begins anew at the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            running = self._running
        if running is not None:
            running.interrupt()
        if self._thread.ident is not None:
            self._thread.join()

    def admit(self, bytes_expected: int | None = None) -> tuple[str, Path]:
        """Makes room for an upload: the id of the job that it will be, and a folder for its files.

        Raises:
            Problem: 413, 429, or 507 when the disk is nearly full.
        """
        if bytes_expected is not None and bytes_expected > self._settings.max_upload_bytes:
            raise upload_too_large(self._settings.max_upload_bytes)
        self.check_space(bytes_expected or 0)
        id = secrets.token_hex(8)
        with self._changed:
            count = len(self._open) + len(self._uploads)
            if count >= self._settings.max_jobs:
                raise Problem(429, f"{count} jobs wait or are being uploaded, as many as are allowed", retry_after=30)
            self._uploads.add(id)
        folder = self.folder / id
        try:
            folder.mkdir(mode=0o700, parents=True)
        except BaseException:
            self.discard(folder)
            raise
        return id, folder

    def check_space(self, bytes_expected: int = 0) -> None:
        """Whether an upload may take more of the disk; asked again and again while one comes in.

        Raises:
            Problem: 507.
        """
        free = shutil.disk_usage(self._settings.data_dir).free
        if free - bytes_expected < self._settings.min_free_disk_bytes:
            raise Problem(507, "there is too little free disk space for uploads", retry_after=60)

    def discard(self, folder: Path) -> None:
        """Removes an upload that becomes no job."""
        shutil.rmtree(folder, ignore_errors=True)
        with self._changed:
            self._uploads.discard(folder.name)

    def submit(self, id: str, files: tuple[str, ...], options: JobOptions) -> Job:
        """Queues a job whose files lie in its folder, named 0, 1, 2 and so on.

        Raises:
            ModelError: there is no such model.
        """
        if options.model is not None:
            self._models.get(options.model)
        job = Job(id, "queued", self._clock(), files, asdict(options))
        self._store.put(job)
        with self._changed:
            self._open[id] = job
            self._uploads.discard(id)
            self._changed.notify_all()
        return job

    def get(self, id: str) -> Job:
        """A job as it is now.

        Raises:
            Problem: 404.
        """
        job = self._open.get(id) or self._store.one(id)
        if job is None:
            raise not_found("job", id)
        return job

    def has(self, id: str) -> bool:
        """Whether there is such a job."""
        return id in self._open or self._store.one(id) is not None

    def page(self, cursor: str | None, limit: int) -> tuple[list[Job], str | None]:
        """Jobs, newest first; see `JobTable.page`."""
        jobs, following = self._store.page(cursor, limit)
        return [self._open.get(job.id, job) for job in jobs], following

    def rows(self, id: str) -> Iterator[Row]:
        """The scores of a job that is done.

        Raises:
            Problem: 404, or 409 while there is no result.
        """
        job = self.get(id)
        if job.state != "done":
            reason = f": {job.error}" if job.error else ""
            raise Problem(409, f"job {id} is {job.state}{reason}", retry_after=None if job.state in ENDED else 2)
        return self._store.rows(id)

    def remove(self, id: str) -> None:
        """Cancels a job that waits or runs; removes one that has ended, with its scores.

        Raises:
            Problem: 404.
        """
        with self._changed:
            known = id in self._open
            first = known and next(iter(self._open)) == id  # the thread has it, or is about to
            waits = None if first else self._open.pop(id, None)
            if first:
                self._cancelled.add(id)
            running = self._running if first else None
        if running is not None:
            running.interrupt()
        if waits is not None:
            self._cancel(waits)
        if not known and not self._store.delete(id):
            raise not_found("job", id)

    async def wait(self, id: str, seconds: float) -> Job:
        """A job as soon as it has ended, or as it is after some seconds."""
        until = time.monotonic() + seconds
        job = self.get(id)
        while job.state not in ENDED and time.monotonic() < until:
            await asyncio.sleep(0.05)
            job = await asyncio.to_thread(self.get, id)
        return job

    def _cancel(self, job: Job) -> None:
        """Ends a job that waits; where that cannot be stored at present it waits on, to end at its turn."""
        try:
            self._conclude(job.id, replace(job, state="cancelled", finished=self._clock()))
        except StoreUnavailable:
            with self._changed:
                self._open[job.id] = job
                self._cancelled.add(job.id)
                self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._open)
                if self._stopping:
                    return
                job = next(iter(self._open.values()))
            try:
                self._conclude(job.id, self._run(job))
            except StoreUnavailable as error:
                self._put_off(job, error)
            except Exception:
                log.exception("job %s could not be concluded", job.id)
                with self._changed:
                    self._open.pop(job.id, None)

    def _put_off(self, job: Job, error: StoreUnavailable) -> None:
        """Nothing can be stored at present, so the job begins anew a little later."""
        log.warning("job %s begins anew when its scores can be stored: %s", job.id, error)
        with self._changed:
            self._open[job.id] = replace(job, state="queued", started=None, progress=0.0, frames=0)
            self._changed.wait_for(lambda: self._stopping, _AGAIN)

    def _conclude(self, id: str, job: Job | None) -> None:
        """Stores how a job ended; None: the service stops, and it begins anew at the next start."""
        if job is None:
            return
        self._store.put(job)
        self.discard(self.folder / id)
        with self._changed:
            self._open.pop(id, None)
            self._cancelled.discard(id)
        log.info("job %s is %s: %d frames %s", id, job.state, job.frames, job.error)

    def _run(self, job: Job) -> Job | None:
        try:
            self._check(job.id)
            self._store.clear_rows(job.id)
            job = self._note(replace(job, state="running", started=self._clock()))
            frames = self._score(job)
            return replace(self._open[job.id], state="done", finished=self._clock(), progress=1.0, frames=frames)
        except Exception as error:
            now = self._open[job.id]
            if self._stopping:
                return None
            if isinstance(error, StoreUnavailable):
                raise
            with suppress(Exception):
                self._store.clear_rows(job.id)
            if job.id in self._cancelled:
                return replace(now, state="cancelled", finished=self._clock())
            return replace(now, state="failed", finished=self._clock(), error=_said(error))

    def _score(self, job: Job) -> int:
        asked = JobOptions(**job.options).model
        settings = self._settings
        running = JobRun(
            job,
            self.folder / job.id,
            model=self._active() if asked is None else self._models.get(asked),
            scorer=self._scorer,
            store=self._store,
            limits=DecodeLimits(
                seconds=settings.max_video_seconds, pixels=settings.max_pixels, member_bytes=settings.max_upload_bytes
            ),
            check=lambda: self._check(job.id),
            note=lambda progress, frames: self._note(replace(self._open[job.id], progress=progress, frames=frames)),
        )
        self._running = running
        try:
            return running.score()
        finally:
            self._running = None

    def _active(self) -> Model:
        if self._models.active is None:
            raise ModelError("no model is active")
        return self._models.active

    def _check(self, id: str) -> None:
        if self._stopping or id in self._cancelled:
            raise _Stopped

    def _note(self, job: Job) -> Job:
        """What is known of a job while it runs is in memory only: at a restart it begins anew."""
        self._open[job.id] = job
        return job


def _said(error: Exception) -> str:
    """What a client reads of an error. Paths of this machine are not in it."""
    if isinstance(error, FootageError | PictureSizeError | ModelError | ScorerError):
        return str(error)[:2000]
    log.error("a job failed", exc_info=error)
    return "the service failed on this job; its log says why"
