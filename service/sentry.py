"""Whether a stream's camera is tampered with, judged on the frames that are scored anyway."""

from __future__ import annotations

import logging

import numpy as np

from model.pictures import Image
from model.tampering import Guard, Reference
from service.models import Model

log = logging.getLogger(__name__)


class Sentry:
    """The guard of one stream, whichever model scores it. `judge` is for the engine's thread, the rest for any.

    Attributes:
        tampering: what is wrong (`covered`, `frozen`, `flipped`, `moved`), or "".
    """

    def __init__(self, kept: Reference | None = None) -> None:
        """Begins where an earlier run stopped.

        Args:
            kept: its reference; None: the stream is new, and the model's reference is the first one.
        """
        self.tampering = ""
        self._guard = Guard(kept)
        self._model: Model | None = None
        self._accepting = False
        self._renewing = False
        self._failed = False

    @property
    def reference(self) -> Reference | None:
        """What to keep for the next run; None: there is nothing yet."""
        return self._guard.reference

    def accept(self) -> None:
        """From the next frame on the picture is right as it is."""
        self._accepting = True

    def begin_anew(self) -> None:
        """Forgets what the camera showed: from the next frame on it is judged against the model's reference."""
        self._renewing = True

    def judge(self, model: Model, pts: float, image: Image) -> str:
        """What is wrong now. Whatever fails in here costs the stream its judgement, not its scores.

        Args:
            model: that scores the frame.
            pts: seconds, its time stamp.
            image: the model's input.
        """
        if self._failed:
            return ""
        try:
            if self._renewing:
                self._renewing, self._guard, self._model = False, Guard(), None
            if model is not self._model:
                self._model = model
                reference = model.detector.reference.cpu().numpy().astype(np.uint8)
                self._guard.follow_model(reference, model.detector.config.geometry)
            if self._accepting:
                self._accepting = False
                self._guard.accept()
            self.tampering = self._guard.push(pts, image).value
        except Exception:
            log.exception("a picture could not be judged: tampering is not looked for in this stream any more")
            self._failed, self.tampering = True, ""
        return self.tampering
