"""Which model is active: changed while everything runs, and remembered for the next start."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from model.atomic import atomic_path
from model.checkpoint import bundled
from service.models import Model, ModelError, Models
from service.roster import NO_MODEL, Roster

_DEMO: Final = Path("demo")
log = logging.getLogger(__name__)


class Activation:
    """Activates and deletes models. Thread-safe; its methods block while a model is loaded and warmed."""

    def __init__(self, models: Models, roster: Roster, warm: Callable[[Model], object], remembered: Path) -> None:
        """Makes it.

        Args:
            models: of the service.
            roster: whose streams follow the active model.
            warm: makes a model's first frames fast (`Scorer.warm`).
            remembered: file with the name of the active model.
        """
        self._models = models
        self._roster = roster
        self._warm = warm
        self._remembered = remembered
        self._changing = threading.Lock()

    def begin(self, asked: Path | None) -> None:
        """Activates the model that the settings ask for, or else the one that was active before.

        Args:
            asked: `demo`, a checkpoint, or the name of a model of the folder; None: nothing is asked for.

        Raises:
            UnknownModelError, ModelError: what is asked for cannot be used.
        """
        if asked is not None:
            path = bundled() if asked == _DEMO else asked
            self._first(self._models.give(path) if path.is_file() else str(asked))
        elif self._remembered.exists():
            name = self._remembered.read_text(encoding="utf-8").strip()
            try:
                self._first(name)
            except ModelError as error:
                log.warning("model %s was active before: %s", name, error)
        if self._models.active is None:
            log.warning("%s", NO_MODEL)

    def activate(self, name: str) -> Model:
        """Makes a model the active one, for all streams that name none; remembered for the next start.

        Raises:
            UnknownModelError, ModelError, OptionError, ScorerError: nothing has changed.
        """
        with self._changing:  # what is remembered is what was activated last
            with atomic_path(self._remembered) as path:
                path.write_text(name + "\n", encoding="utf-8")  # before anything changes: the disk may be full
                model = self._models.activate(name, warm=self._warm, switch=self._roster.follow)
            self._roster.revive()
        log.info("model %s is active", name)
        return model

    def delete(self, name: str) -> None:
        """Removes a model from the folder for good, unless it is used.

        Raises:
            UnknownModelError, ModelError: see `Models.delete`; nothing has changed.
        """
        if users := self._roster.uses(name):
            raise ModelError(f"model {name} is used by {', '.join(users)}: have them use another one first")
        self._models.delete(name)
        log.info("model %s is deleted", name)

    def _first(self, name: str) -> None:
        """At the start, when no stream runs yet."""
        self._models.activate(name, warm=self._warm, switch=lambda model: None)
