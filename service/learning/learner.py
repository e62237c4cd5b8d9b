"""Cameras that are being learned: begun, followed, cancelled, put to use. All go on after a restart."""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from model.workers import available_cores
from service.learning.course import Cancelled, Course, Effort, School, Stopping
from service.learning.records import OPEN, Learning, LearningError, LearningState
from service.learning.training import NICE
from service.models import Model, Models
from service.problems import Problem, not_found
from service.retention import disk_is_short
from service.roster import Roster
from service.settings import Settings
from service.store import StoreUnavailable
from service.store.learnings import LearningTable

CHOICES: Final[dict[str, Any]] = {}
"""Fields of `training.settings.TrainSettings` that are not left to their defaults."""

_STOPPING: Final = 10.0
log = logging.getLogger(__name__)


class Learner:
    """All learnings of a service: each has a thread; they record side by side, and train one after the other.

    Attributes:
        folder: where the recordings lie.
        choices: see `CHOICES`.
        nice: how far trainings step back.
    """

    def __init__(
        self,
        settings: Settings,
        store: LearningTable,
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
        self.choices = dict(CHOICES)
        self.nice = NICE
        self._threads_each = settings.learning_threads or max(1, available_cores() // 2)
        self._store = store
        self._models = models
        self._roster = roster
        self._warm = warm
        self._clock = clock
        self._lock = threading.Lock()
        self._courses: dict[str, Course] = {}
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._school = School(
            roster,
            self.folder,
            settings.models_folder,
            settings.learning_max_bytes,
            disk_is_short(settings.data_dir, settings.min_free_disk_bytes),
            effort=lambda: Effort(self._threads_each, self.nice, self.choices),
            keep=store.put,
            stopping=self._stopping,
            turn=threading.Lock(),
            monotonic=monotonic,
        )

    def start(self) -> None:
        """Goes on with what was under way when the service stopped."""
        left = [learning for learning in self._store.all() if learning.state in OPEN]
        kept = {learning.id for learning in left}
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                if path.name not in kept:
                    shutil.rmtree(path, ignore_errors=True)
        for learning in left:
            self._go(Course(learning, self._school))

    def stop(self) -> None:
        """Ends recording and training; both go on at the next start."""
        self._stopping.set()
        with self._lock:
            courses = list(self._courses.values())
        for course in courses:
            course.interrupt()
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
        if self._school.disk_is_short():
            raise Problem(507, "there is too little free disk space for a recording", retry_after=60)
        id = secrets.token_hex(8)
        learning = Learning(id, stream, "recording", minutes, self._clock(), detail="waits for the first frame")
        course = Course(learning, self._school)
        with self._lock:
            other = next(
                (one for one in self._courses.values() if one.learning.stream == stream and one.learning.state in OPEN),
                None,
            )
            if other is not None:
                raise Problem(
                    409, f"stream {stream} is being learned already, as {other.learning.id}; cancel that first"
                )
            self._courses[id] = course
        try:
            self._store.put(learning)
        except BaseException:
            with self._lock:
                del self._courses[id]
            raise
        self._go(course)
        return learning

    def get(self, id: str) -> Learning:
        """A learning as it is now.

        Raises:
            Problem: 404.
        """
        course = self._courses.get(id)
        found = self._store.one(id) if course is None else course.learning
        if found is None:
            raise not_found("learning", id)
        return found

    def all(self) -> list[Learning]:
        """All learnings, newest first."""
        courses = dict(self._courses)
        return [courses[one.id].learning if one.id in courses else one for one in self._store.all()]

    def cancel(self, id: str) -> None:
        """Ends a learning that is under way, and removes what it recorded; forgets one that has ended, not its model.

        Raises:
            Problem: 404.
        """
        with self._lock:
            course = self._courses.get(id)
        if course is not None and course.learning.state in OPEN:
            course.cancel()
            return
        if not self._store.delete(id):
            raise not_found("learning", id)
        with self._lock:
            self._courses.pop(id, None)

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
        self._roster.get(learning.stream)
        self._warm(self._models.get(learning.model))
        member = self._roster.change(learning.stream, changes={"model": learning.model, "threshold": None})
        if member.stream is not None:
            member.stream.sentry.begin_anew()  # what the model learned from is how the camera should look
        log.info("stream %s is scored by %s, learned from it", learning.stream, learning.model)
        return learning

    def _go(self, course: Course) -> None:
        id = course.learning.id
        with self._lock:
            self._courses[id] = course
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            thread = threading.Thread(target=self._run, args=(course,), name=f"framewatch-learn-{id}", daemon=True)
            self._threads.append(thread)
        thread.start()

    def _run(self, course: Course) -> None:
        try:
            course.run()
            self._end(course, "ready", course.learning.detail)
        except Stopping:
            return
        except Cancelled:
            self._end(course, "cancelled", "")
        except LearningError as error:
            self._end(course, "failed", str(error))
        except OSError as error:
            self._end(course, "failed", f"the disk fails ({error.strerror or error})")
        except StoreUnavailable as error:
            self._end(course, "failed", str(error))
        except Exception:
            log.exception("learning %s failed", course.learning.id)
            self._end(course, "failed", "the service failed on it; its log says why")

    def _end(self, course: Course, state: LearningState, detail: str) -> None:
        """Stores how it ended, and removes what was recorded."""
        ended = replace(course.learning, state=state, finished=self._clock(), detail=detail)
        if state != "ready":  # killed in between, a training that was done would lack its footage
            shutil.rmtree(course.folder, ignore_errors=True)  # before storing, which a full disk would refuse
        try:
            self._store.put(ended)
            shutil.rmtree(course.folder, ignore_errors=True)
        except StoreUnavailable as error:
            log.error("learning %s is %s, which cannot be stored: %s", ended.id, state, error)
            course.learning = ended  # known in memory; the next start looks at it anew
        else:
            with self._lock:
                del self._courses[ended.id]
        log.info("learning %s of stream %s is %s %s", ended.id, ended.stream, state, detail)
