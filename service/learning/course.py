"""One camera on its way to a model: recorded, trained on when its turn comes, and the model put into the folder."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from model.atomic import atomic_path
from service.learning.filling import LEAST, Filling
from service.learning.recording import Recording, RecordingLimits
from service.learning.records import Learning, LearningError
from service.learning.training import Training
from service.models import ENDING
from service.problems import Problem
from service.roster import Roster

_LOOK: Final = 0.5


class Cancelled(Exception):
    """Somebody has cancelled it."""


class Stopping(Exception):
    """The service stops; it goes on at the next start."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What a training may take.

    Attributes:
        threads: of the processor.
        nice: how far it steps back.
        choices: fields of `training.settings.TrainSettings` that are not left to their defaults.
    """

    threads: int
    nice: int
    choices: dict[str, Any]


@dataclass(frozen=True, slots=True)
class School:
    """What all courses of a service have in common.

    Attributes:
        roster: of its streams.
        folder: a folder in it for each course: what is recorded, and the training's own files.
        models: folder of the models.
        most_bytes: of a recording.
        disk_is_short: whether too little of the disk is free.
        effort: what a training that begins now may take.
        keep: stores how far a course is.
        stopping: the service stops.
        turn: held by the one that trains.
        monotonic: seconds.
    """

    roster: Roster
    folder: Path
    models: Path
    most_bytes: int
    disk_is_short: Callable[[], bool]
    effort: Callable[[], Effort]
    keep: Callable[[Learning], object]
    stopping: threading.Event
    turn: threading.Lock
    monotonic: Callable[[], float]


class Course:
    """A learning that is under way. `run` is for a thread of its own, the rest for any.

    Attributes:
        learning: as it is now.
        folder: what it takes of the disk, for whoever ends it to remove.
    """

    def __init__(self, learning: Learning, school: School) -> None:
        """Makes it; it may have been under way before the service started."""
        self.learning = learning
        self.folder = school.folder / learning.id
        self._school = school
        self._cancelled = threading.Event()
        self._training: Training | None = None

    def run(self) -> None:
        """All that is left to do, until `learning` is as it is when it is ready.

        Raises:
            LearningError: it cannot be learned.
            Cancelled, Stopping: it was ended.
            OSError, StoreUnavailable: the disk fails.
        """
        if self.learning.state == "recording":
            self._record()
        self._train()

    def cancel(self) -> None:
        """Has it end for good."""
        self._cancelled.set()
        self.interrupt()

    def interrupt(self) -> None:
        """Ends its training; what that means is said by `cancel`, or by the service that stops."""
        training = self._training
        if training is not None:
            training.stop()

    def note(self, **facts: Any) -> None:
        """What changes all the time is in memory only."""
        self.learning = replace(self.learning, **facts)

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        if self._school.stopping.is_set():
            raise Stopping

    def _recording(self) -> Recording:
        return Recording(self.folder / "clips", RecordingLimits(self._school.most_bytes))

    def _record(self) -> None:
        learning, school = self.learning, self._school
        try:
            member = school.roster.get(learning.stream)
        except Problem:
            raise LearningError("the stream was removed") from None
        recording = self._recording()
        detail = Filling(
            member,
            recording,
            60 * learning.minutes,
            check=self._check,
            note=self.note,
            disk_is_short=school.disk_is_short,
            monotonic=school.monotonic,
        ).run()
        self.note(state="training", progress=0.0, detail=detail, recorded=recording.seconds)
        school.keep(self.learning)

    def _train(self) -> None:
        recording = self._recording()
        if not recording.frames:
            raise LearningError("what was recorded is gone; begin anew")
        recording.tidy()
        if recording.seconds < LEAST * 0.9:
            raise LearningError(
                f"{recording.seconds:.1f} seconds were recorded, which is too little: {LEAST:g} at least, half an hour "
                "is better"
            )
        detail, turn = self.learning.detail, self._school.turn
        while not turn.acquire(timeout=_LOOK):
            self._check()
            self.note(detail=f"{detail}; waits for another training")
        try:
            self._check()
            out = self.folder / "model.safetensors"
            report = self._trained(out, detail)
            name = self._shelve(out)
        finally:
            turn.release()
        self.note(progress=1.0, detail=detail, model=name, report=report, recorded=recording.seconds)

    def _trained(self, out: Path, detail: str) -> dict[str, Any]:
        learning, effort = self.learning, self._school.effort()
        with Training(self.folder) as training:
            self._training = training
            try:
                self._check()
                return training.run(
                    self.folder / "clips",
                    out,
                    nice=effort.nice,
                    threads=effort.threads,
                    command=f"framewatch learn {learning.stream} --for {learning.minutes:g}m",
                    choices=effort.choices,
                    on_progress=lambda part, what: self.note(progress=part, detail=f"{detail}; {what}"),
                )
            except LearningError:
                self._check()  # it was ended on purpose
                raise
            finally:
                self._training = None

    def _shelve(self, checkpoint: Path) -> str:
        """Puts a checkpoint into the model folder; gives its name, the same one whenever this is done anew."""
        learning, models = self.learning, self._school.models
        models.mkdir(parents=True, exist_ok=True)
        stream = re.sub(r"[^A-Za-z0-9_-]+", "-", learning.stream).strip("-_") or "camera"
        name = f"{stream}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(learning.created))}-{learning.id[:4]}"
        with atomic_path(models / f"{name}{ENDING}") as path:
            shutil.copyfile(checkpoint, path)
        return name
