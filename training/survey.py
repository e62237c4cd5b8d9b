"""One look at all footage before anything is learned: what is bad, how long, how large, how fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.clips import Clip, FootageError, bad_footage, frame_total
from model.frames import ASPECT_TOLERANCE, REFERENCE_SIZE, luma, reference_of
from model.pictures import Image
from model.progress import Progress


@dataclass(frozen=True, slots=True)
class ClipSurvey:
    """What one clip holds.

    Attributes:
        name: of the clip.
        frames: good ones.
        start, stop: first and last time stamp, seconds.
        seconds: of footage.
        jumps: its time jumps back on the way, as where recordings were put one behind the other.
        interval: median step, seconds; None for a single frame.
        sizes: heights and widths of its pictures, each with the number of the first frame that has it.
    """

    name: str
    frames: int
    start: float
    stop: float
    seconds: float
    jumps: bool
    interval: float | None
    sizes: dict[tuple[int, int], int]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its first picture."""
        return next(iter(self.sizes))


@dataclass(frozen=True, slots=True)
class Survey:
    """What all clips hold.

    Attributes:
        clips: those with frames.
        surveys: of each of them.
        bad: a line for each frame or file that cannot be read.
        interval: median seconds between frames, over all clips.
        size: height and width of the pictures (of the longest clip).
        reference: uint8 36×64, mean luma picture.
    """

    clips: list[Clip]
    surveys: list[ClipSurvey]
    bad: list[str]
    interval: float
    size: tuple[int, int]
    reference: Image

    @property
    def frames(self) -> int:
        return sum(survey.frames for survey in self.surveys)

    @property
    def seconds(self) -> float:
        return sum(survey.seconds for survey in self.surveys)


def survey(clips: Sequence[Clip], *, skip_bad: bool, progress: Progress) -> Survey:
    """Decodes every frame once.

    Raises:
        FootageError: something cannot be read and `skip_bad` is not set (all of it is named in one message), nothing
            can be read, or the clips are not of one camera (their aspects differ).
    """
    bad: list[str] = []
    kept: list[Clip] = []
    surveys: list[ClipSurvey] = []
    steps: list[tuple[float, int]] = []
    total, count = np.zeros(REFERENCE_SIZE), 0
    with progress("checking footage", frame_total(clips)) as tick:
        for clip in clips:
            stamps: list[float] = []
            sizes: dict[tuple[int, int], int] = {}
            for frame in clip.frames(skip_bad=True, on_bad=bad.append):
                stamps.append(frame.pts)
                sizes.setdefault((frame.image.shape[0], frame.image.shape[1]), frame.number)
                if len(stamps) % 5 == 1:  # a mean picture needs no more
                    total += reference_of(luma(frame.image))
                    count += 1
                tick(1)
            if not stamps:
                continue
            between = np.diff(stamps)
            interval = float(np.median(between)) if len(between) else None
            if interval is not None and interval > 0:
                steps.append((interval, len(stamps)))
            kept.append(clip)
            jumps = bool((between < 0).any())
            seconds = float(between[between > 0].sum()) if jumps else stamps[-1] - stamps[0]
            surveys.append(ClipSurvey(clip.name, len(stamps), stamps[0], stamps[-1], seconds, jumps, interval, sizes))
    if bad and not skip_bad:
        raise bad_footage(bad)
    if not surveys or not steps:
        raise FootageError("no clip has two frames or more: there is nothing to learn from")
    longest = max(surveys, key=lambda s: s.frames)
    height, width = longest.size
    for other in surveys:
        for (rows, columns), number in other.sizes.items():
            if abs((columns / rows) / (width / height) - 1) > ASPECT_TOLERANCE:
                raise FootageError(
                    f"clip {other.name} is {columns}x{rows} from frame {number} on, clip {longest.name} is "
                    f"{width}x{height}: a model learns one camera; train one model for each"
                )
    interval = float(np.median(np.repeat([step for step, _ in steps], [frames for _, frames in steps])))
    reference = np.rint(total / max(1, count)).astype(np.uint8)
    return Survey(kept, surveys, bad, interval, longest.size, reference)
