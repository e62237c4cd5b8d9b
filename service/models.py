"""The models of the service: checkpoints in one folder, known by name; one of them is active."""

from __future__ import annotations

import hashlib
import re
import threading
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

import torch

from model.checkpoint import Checkpoint, CheckpointError, Provenance, load
from model.detector import Calibration, Detector, DetectorConfig, Precision
from model.workers import Workers

ENDING = ".safetensors"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class ModelError(Exception):
    """A model that cannot be used; the message says which, why, and what to do."""


class UnknownModelError(ModelError):
    """No model of that name."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Model:
    """A checkpoint that is ready to score on the service's device.

    Attributes:
        name: of its file, without the ending.
        sha256: of its file.
        checkpoint: detector, calibration, provenance.
        lane: models that agree in it share the windows of their streams, and their batches.
    """

    name: str
    sha256: str
    checkpoint: Checkpoint
    lane: Hashable

    @property
    def detector(self) -> Detector:
        return self.checkpoint.detector


@dataclass(frozen=True, slots=True)
class About:
    """What can be said of a model without having it loaded."""

    sha256: str
    config: DetectorConfig
    calibration: Calibration
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Listing:
    """A model of the folder: `about` it, or the `error` for which it cannot be used.

    `given`: it comes with the configuration or the package (`Models.give`), and is not to be deleted.
    """

    name: str
    bytes: int
    active: bool
    about: About | None
    error: str = ""
    given: bool = False


class Models:
    """Loads models by name, and keeps them while somebody uses them. Thread-safe.

    A name leads to a file directly inside the folder and nowhere else, so that a client cannot reach other files.
    """

    def __init__(
        self,
        folder: Path,
        *,
        device: torch.device,
        precision: Precision = "float32",
        workers: Workers | None = None,
    ) -> None:
        """Opens a folder; nothing is loaded, and it need not exist yet.

        Args:
            folder: where the checkpoints lie.
            device: where they score.
            precision: number format of their encoders.
            workers: threads that encode frames on a CPU.
        """
        self._folder = folder
        self._device = device
        self._precision = precision
        self._workers = workers
        self._lock = threading.Lock()
        self._activating = threading.Lock()
        self._given: dict[str, Path] = {}
        self._loaded: weakref.WeakValueDictionary[tuple[str, int, int], Model] = weakref.WeakValueDictionary()
        self._about: dict[str, tuple[tuple[str, int, int], About]] = {}
        self._active: Model | None = None

    @property
    def active(self) -> Model | None:
        """The model of streams that name none; None: none was activated yet."""
        return self._active

    def give(self, path: Path) -> str:
        """Adds a checkpoint that the configuration names by its path, wherever it lies; gives its name.

        Raises:
            ModelError: its file name is no model name, or it is another file than the folder's model of that name.
        """
        name = path.name.removesuffix(ENDING)
        if not _NAME.fullmatch(name):
            raise ModelError(f"model {path}: expected a file name of letters, digits, dot, dash and underscore")
        inside = self._folder / f"{name}{ENDING}"
        if inside.exists() and inside.resolve() != path.resolve():
            raise ModelError(f"model {path}: {self._folder} already has a model {name}; rename one of them")
        self._given[name] = path
        return name

    def get(self, name: str) -> Model:
        """A model ready to score; loaded anew if its file has changed.

        Raises:
            UnknownModelError: no model of that name.
            ModelError: its checkpoint cannot be used.
        """
        path = self._path(name)
        with self._lock:
            try:
                stamp = path.stat()
            except OSError:
                raise UnknownModelError(f"there is no model {name!r}") from None
            key = (name, stamp.st_mtime_ns, stamp.st_size)
            model = self._loaded.get(key)
            if model is None:
                model = self._loaded[key] = self._load(name, path)
                known = model.checkpoint
                about = About(model.sha256, model.detector.config, known.calibration, known.provenance)
                self._about[name] = (key, about)
            return model

    def activate(self, name: str, *, warm: Callable[[Model], object], switch: Callable[[Model], object]) -> Model:
        """Makes a model the active one: loads it, warms it, moves the streams over. On a failure nothing changes.

        Args:
            name: of the model.
            warm: makes its first frames fast (`Scorer.warm`); may raise.
            switch: moves the streams that follow the active model (`stream.switch`); raises before it changes any.
                The model is `active` already: a stream that is made meanwhile must not be left behind.

        Raises:
            UnknownModelError, ModelError: see `get`.
        """
        with self._activating:
            model = self.get(name)
            warm(model)
            before, self._active = self._active, model
            try:
                switch(model)
            except BaseException:
                self._active = before
                raise
            return model

    def delete(self, name: str) -> None:
        """Removes a model's file for good. Whoever has it loaded keeps it; see `Activation.delete`.

        Raises:
            UnknownModelError: no model of that name.
            ModelError: it is the active one, or the configuration names it by its path; nothing has changed.
        """
        with self._activating:
            path = self._path(name)
            if name in self._given:
                raise ModelError(f"model {name} comes with the configuration or the package, not from the model folder")
            if self._active is not None and self._active.name == name:
                raise ModelError(f"model {name} is the active one: activate another one first")
            try:
                path.unlink()
            except FileNotFoundError:
                raise UnknownModelError(f"there is no model {name!r}") from None
            except OSError as error:
                raise ModelError(f"model {name} cannot be deleted: {error.strerror or error}") from error
            with self._lock:
                self._about.pop(name, None)

    def list(self) -> list[Listing]:
        """Every model by name, also those that cannot be used; one not seen before is loaded to see that it can."""
        names = set(self._given)
        if self._folder.is_dir():
            names |= {path.name.removesuffix(ENDING) for path in self._folder.glob(f"*{ENDING}")}
        return [self._listing(name) for name in sorted(names) if _NAME.fullmatch(name)]

    def _listing(self, name: str) -> Listing:
        active = self._active is not None and self._active.name == name
        given = name in self._given
        try:
            stamp = self._path(name).stat()
        except (OSError, UnknownModelError):
            return Listing(name, 0, active, None, "its file lies outside the model folder, or is gone", given)
        key, about = self._about.get(name, (None, None))
        error = ""
        if key != (name, stamp.st_mtime_ns, stamp.st_size):
            try:
                self.get(name)
                about = self._about[name][1]
            except ModelError as problem:
                about, error = None, str(problem)
        return Listing(name, stamp.st_size, active, about, error, given)

    def _path(self, name: str) -> Path:
        unknown = UnknownModelError(f"there is no model {name!r}")
        if not _NAME.fullmatch(name):
            raise unknown
        if name in self._given:
            return self._given[name]
        path = self._folder / f"{name}{ENDING}"
        if path.resolve().parent != self._folder.resolve():  # a link that leads out of the folder
            raise unknown
        return path

    def _load(self, name: str, path: Path) -> Model:
        try:
            checkpoint = load(path, device=self._device)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except CheckpointError as error:
            raise ModelError(str(error)) from error
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
        checkpoint.detector.with_precision(self._precision).with_workers(self._workers)
        return made(name, checkpoint, digest)


def made(name: str, checkpoint: Checkpoint, sha256: str = "") -> Model:
    """A model of a checkpoint whose detector is already on its device, in its precision."""
    config = checkpoint.detector.config
    lane = (checkpoint.detector.encoder.fingerprint(), config.window, config.mask)
    return Model(name, sha256, checkpoint, lane)
