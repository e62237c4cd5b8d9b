"""Cameras that are being learned: recorded, trained on, and ready to be used. All goes on after a restart."""

from __future__ import annotations

import logging
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from model.atomic import atomic_path
from model.workers import available_cores
from service.learning.filling import LEAST, Filling
from service.learning.recording import Recording, RecordingLimits
from service.learning.records import OPEN, Learning, LearningError, LearningState
from service.learning.training import NICE, Training
from service.models import ENDING, Model, Models
from service.problems import Problem, not_found
from service.roster import Roster
from service.settings import Settings
from service.store import Store, StoreUnavailable

_LOOK: Final = 0.5
_STOPPING: Final = 10.0
log = logging.getLogger(__name__)


class _Cancelled(Exception):
    """Somebody has cancelled it."""


class _Stopping(Exception):
    """The service stops; it goes on at the next start."""


class Learner:
    """All learnings of a service: each has a thread; they record side by side, and train one after the other.

    Attributes:
        folder: where the recordings lie.
        choices: fields of `training.train.TrainSettings` that are not left to their defaults.
        nice: how far trainings step back.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        models: Models,
        roster: Roster,
        *,
        warm: Callable[[Model], object],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes it; `start` goes on with what an earlier run left.

        Args:
            settings, store, models, roster: of the service.
            warm: makes a model's first frames fast (`Scorer.warm`).
            clock: seconds since 1970.
            monotonic: seconds.
        """
        self.folder = settings.data_dir / "learning"
        self.choices: dict[str, Any] = {}
        self.nice = NICE
        self._settings = settings
        self._store = store
        self._models = models
        self._roster = roster
        self._warm = warm
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._open: dict[str, Learning] = {}
        self._cancelled: set[str] = set()
        self._trainings: dict[str, Training] = {}
        self._threads: list[threading.Thread] = []
        self._training = threading.Lock()  # one at a time
        self._stopping = threading.Event()

    def start(self) -> None:
        """Goes on with what was under way when the service stopped."""
        left = [learning for learning in self._store.learnings() if learning.state in OPEN]
        kept = {learning.id for learning in left}
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                if path.name not in kept:
                    shutil.rmtree(path, ignore_errors=True)
        for learning in left:
            self._go(learning)

    def stop(self) -> None:
        """Ends recording and training; both go on at the next start."""
        self._stopping.set()
        with self._lock:
            trainings = list(self._trainings.values())
        for training in trainings:
            training.stop()
        for thread in self._threads:
            thread.join(_STOPPING)

    def begin(self, stream: str, minutes: float) -> Learning:
        """Begins to record a stream, to learn from it.

        Args:
            stream: its id.
            minutes: of footage.

        Raises:
            Problem: 404; 409 if it is being learned already; 507 if the disk is nearly full.
        """
        self._roster.get(stream)
        if self._disk_is_short():
            raise Problem(507, "there is too little free disk space for a recording", retry_after=60)
        with self._lock:
            other = next((one for one in self._open.values() if one.stream == stream and one.state in OPEN), None)
            if other is not None:
                raise Problem(409, f"stream {stream} is being learned already, as {other.id}; cancel that first")
            id = secrets.token_hex(8)
            learning = Learning(id, stream, "recording", minutes, self._clock(), detail="waits for the first frame")
            self._open[id] = learning
        try:
            self._store.put_learning(learning)
        except BaseException:
            with self._lock:
                del self._open[id]
            raise
        self._go(learning)
        return learning

    def get(self, id: str) -> Learning:
        """A learning as it is now.

        Raises:
            Problem: 404.
        """
        found = self._open.get(id) or self._store.learning(id)
        if found is None:
            raise not_found("learning", id)
        return found

    def all(self) -> list[Learning]:
        """All learnings, newest first."""
        return [self._open.get(one.id, one) for one in self._store.learnings()]

    def cancel(self, id: str) -> None:
        """Ends a learning that is under way, and removes what it recorded; forgets one that has ended, not its model.

        Raises:
            Problem: 404.
        """
        with self._lock:
            known = self._open.get(id)
            under_way = known is not None and known.state in OPEN
            if under_way:
                self._cancelled.add(id)
            training = self._trainings.get(id)
        if training is not None:
            training.stop()
        if under_way:
            return
        if not self._store.delete_learning(id):
            raise not_found("learning", id)
        with self._lock:
            self._open.pop(id, None)

    def activate(self, id: str) -> Learning:
        """Has the stream scored by the model that was learned from it: loaded and warmed first.

        A threshold of the stream's own ends: it was one of another model's errors.

        Raises:
            Problem: 404, or 409 while there is no model.
            ModelError, OptionError: it cannot be used; nothing has changed.
        """
        learning = self.get(id)
        if learning.model is None:
            why = f": {learning.detail}" if learning.detail else ""
            raise Problem(409, f"there is no model to activate: learning {id} is {learning.state}{why}")
        member = self._roster.get(learning.stream)
        self._warm(self._models.get(learning.model))
        options = replace(member.record.options, model=learning.model, threshold=None)
        member = self._roster.change(learning.stream, options=options)
        if member.stream is not None:
            member.stream.sentry.begin_anew()  # what the model learned from is how the camera should look
        log.info("stream %s is scored by %s, learned from it", learning.stream, learning.model)
        return learning

    def _go(self, learning: Learning) -> None:
        with self._lock:
            self._open[learning.id] = learning
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            thread = threading.Thread(target=self._run, args=(learning.id,), name=f"framewatch-learn-{learning.id}")
            self._threads.append(thread)
        thread.daemon = True
        thread.start()

    def _run(self, id: str) -> None:
        try:
            if self._open[id].state == "recording":
                self._record(id)
            self._train(id)
        except _Stopping:
            return
        except _Cancelled:
            self._end(id, "cancelled", "")
        except LearningError as error:
            self._end(id, "failed", str(error))
        except OSError as error:
            self._end(id, "failed", f"the disk fails ({error.strerror or error})")
        except StoreUnavailable as error:
            self._end(id, "failed", str(error))
        except Exception:
            log.exception("learning %s failed", id)
            self._end(id, "failed", "the service failed on it; its log says why")

    def _end(self, id: str, state: LearningState, detail: str, **facts: Any) -> None:
        """Stores how it ended, and removes what was recorded."""
        ended = replace(self._open[id], state=state, finished=self._clock(), detail=detail, **facts)
        shutil.rmtree(self.folder / id, ignore_errors=True)
        try:
            self._store.put_learning(ended)
        except StoreUnavailable as error:
            log.error("learning %s is %s, which cannot be stored: %s", id, state, error)
            with self._lock:  # known in memory; the next start looks at it anew
                self._open[id] = ended
        else:
            with self._lock:
                del self._open[id]
        with self._lock:
            self._cancelled.discard(id)
        log.info("learning %s of stream %s is %s %s", id, ended.stream, state, detail)

    def _note(self, id: str, **facts: Any) -> None:
        """What changes all the time is in memory only."""
        self._open[id] = replace(self._open[id], **facts)

    def _check(self, id: str) -> None:
        if id in self._cancelled:
            raise _Cancelled
        if self._stopping.is_set():
            raise _Stopping

    # recording

    def _record(self, id: str) -> None:
        learning = self._open[id]
        limits = RecordingLimits(self._settings.learning_max_bytes)
        try:
            member = self._roster.get(learning.stream)
        except Problem:
            raise LearningError("the stream was removed") from None
        recording = Recording(self.folder / id / "clips", limits)
        filling = Filling(
            member,
            recording,
            60 * learning.minutes,
            check=partial(self._check, id),
            note=partial(self._note, id),
            disk_is_short=self._disk_is_short,
            monotonic=self._monotonic,
        )
        detail = filling.run()
        self._note(id, state="training", progress=0.0, detail=detail, recorded=recording.seconds)
        self._store.put_learning(self._open[id])

    def _disk_is_short(self) -> bool:
        return shutil.disk_usage(self._settings.data_dir).free < self._settings.min_free_disk_bytes

    # training

    def _train(self, id: str) -> None:
        learning = self._open[id]
        folder = self.folder / id
        recording = Recording(folder / "clips", RecordingLimits(self._settings.learning_max_bytes))
        recording.tidy()
        if recording.seconds < LEAST * 0.9:
            raise LearningError(
                f"{recording.seconds:.1f} seconds were recorded, which is too little: {LEAST:g} at least, half an hour "
                "is better"
            )
        detail = learning.detail
        while not self._training.acquire(timeout=_LOOK):
            self._check(id)
            self._note(id, detail=f"{detail}; waits for another training")
        try:
            self._check(id)
            out = folder / "model.safetensors"
            report = self._trained(id, folder / "clips", out, detail)
            name = self._shelve(learning, out)
        finally:
            self._training.release()
        self._end(id, "ready", detail, progress=1.0, model=name, report=report, recorded=recording.seconds)

    def _trained(self, id: str, clips: Path, out: Path, detail: str) -> dict[str, Any]:
        learning = self._open[id]
        threads = self._settings.learning_threads or max(1, available_cores() // 2)
        with Training(out.parent) as training:
            with self._lock:
                self._trainings[id] = training
            try:
                self._check(id)
                return training.run(
                    clips,
                    out,
                    nice=self.nice,
                    threads=threads,
                    command=f"framewatch learn {learning.stream} --for {learning.minutes:g}m",
                    choices=self.choices,
                    on_progress=lambda part, what: self._note(id, progress=part, detail=f"{detail}; {what}"),
                )
            except LearningError:
                self._check(id)  # it was ended on purpose
                raise
            finally:
                with self._lock:
                    del self._trainings[id]

    def _shelve(self, learning: Learning, checkpoint: Path) -> str:
        """Puts a checkpoint into the model folder under a name of its own; gives that."""
        models = self._settings.models_folder
        models.mkdir(parents=True, exist_ok=True)
        stream = re.sub(r"[^A-Za-z0-9_-]+", "-", learning.stream).strip("-_") or "camera"
        name = f"{stream}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(self._clock()))}"
        if (models / f"{name}{ENDING}").exists():
            name = f"{name}-{learning.id[:4]}"
        with atomic_path(models / f"{name}{ENDING}") as path:
            shutil.copyfile(checkpoint, path)
        return name
