"""The frames of a clip that a model can take: a camera keeps its aspect, a stray picture among them does not."""

from __future__ import annotations

from collections.abc import Generator

from model.clips import Clip, Frame, OnBad
from model.frames import Geometry, PictureSizeError


def fitting(
    clip: Clip, geometry: Geometry, *, colour: bool = False, skip_bad: bool = False, on_bad: OnBad | None = None
) -> Generator[Frame]:
    """The frames of a clip, as `Clip.frames` gives them, that fit the model.

    With `skip_bad` a picture of another aspect is left out like one that cannot be read; but not the first of a
    clip, since then the clip is of another camera.

    Raises:
        FootageError: a frame cannot be read, and `skip_bad` is not set.
        PictureSizeError: naming the frame that does not fit.
    """
    begun = False
    for frame in clip.frames(colour=colour, skip_bad=skip_bad, on_bad=on_bad):
        try:
            geometry.check(frame.image)
        except PictureSizeError as error:
            if not (skip_bad and begun):
                raise PictureSizeError(f"frame {frame.number}: {error}") from error
            if on_bad is not None:
                on_bad(f"clip {clip.name}, frame {frame.number}: {error}")
        else:
            begun = True
            yield frame
