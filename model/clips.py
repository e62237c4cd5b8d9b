"""What a clip is: a named run of frames; and the clip that is a folder of pictures."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, Protocol

from model.pictures import Image, PictureError, decode_image

OnBad = Callable[[str], None]


class FootageError(Exception):
    """Footage that cannot be read; the message says what, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture of a clip.

    Attributes:
        number: frame number: the last run of digits of the file name, or the 0-based index in a video.
        pts: seconds. Folders: `number / fps`; videos: the time stamp, 0 at the first frame.
        image: uint8, H×W luma (full range), or H×W×3 BGR where colour was asked for.
    """

    number: int
    pts: float
    image: Image


class Clip(Protocol):
    """A named run of frames from one camera."""

    @property
    def name(self) -> str:
        """Unique among the footage opened together."""

    @property
    def frame_count(self) -> int | None:
        """Exact for folders, the container's claim for videos (None: it makes none)."""

    @property
    def interval(self) -> float | None:
        """Seconds between frames: the median for folders, one over the mean rate for videos; None: unknown."""

    def frames(self, *, colour: bool = False, skip_bad: bool = False, on_bad: OnBad | None = None) -> Iterator[Frame]:
        """The frames in order, decoded as they are asked for; every call starts anew.

        Args:
            colour: BGR instead of luma.
            skip_bad: leave out what cannot be read, and tell `on_bad` one line for each.
            on_bad: called with the file and the reason.

        Raises:
            FootageError: a frame cannot be read, and `skip_bad` is not set.
        """

    def check(self) -> list[str]:
        """Decode everything once; one line (file and reason) for each frame or file that cannot be read."""


def frame_total(clips: Iterable[Clip]) -> int | None:
    """Frames of all clips together; None where a clip does not know."""
    counts = [clip.frame_count for clip in clips]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


class Place(Protocol):
    """Where files lie: a folder or a zip. Files are named by their path inside it."""

    def read(self, file: str) -> bytes:
        """A whole picture file. Raises OSError."""

    def open(self, file: str) -> BinaryIO:
        """A seekable file. Raises OSError."""

    def locate(self, file: str) -> str:
        """The file's name for messages."""


@dataclass(frozen=True)
class FolderClip:
    """A folder of pictures.

    Attributes:
        name: unique name of the clip.
        place: where the folder lies.
        files: (frame number, path inside `place`), in the order of the numbers, which are unique.
        fps: frames per second that the numbers count.
    """

    name: str
    place: Place
    files: tuple[tuple[int, str], ...]
    fps: float

    @property
    def frame_count(self) -> int:
        return len(self.files)

    @property
    def interval(self) -> float | None:
        steps = [after - before for (before, _), (after, _) in pairwise(self.files)]
        return statistics.median(steps) / self.fps if steps else None

    def frames(self, *, colour: bool = False, skip_bad: bool = False, on_bad: OnBad | None = None) -> Iterator[Frame]:
        for number, file in self.files:
            try:
                image = decode_image(self.place.read(file), colour=colour)
            except (PictureError, OSError) as error:
                report_bad(self.place.locate(file), reason(error), skip_bad, on_bad)
            else:
                yield Frame(number, number / self.fps, image)

    def check(self) -> list[str]:
        bad: list[str] = []
        for _ in self.frames(skip_bad=True, on_bad=bad.append):
            pass
        return bad


def report_bad(where: str, why: str, skip_bad: bool, on_bad: OnBad | None) -> None:
    """Tell `on_bad` of a bad frame or file, or raise FootageError where bad ones are not to be skipped."""
    line = f"{where}: {why}"
    if not skip_bad:
        raise FootageError(f"{line}. Replace it, or leave out what is bad with --skip-bad")
    if on_bad is not None:
        on_bad(line)


def reason(error: Exception) -> str:
    """Why, without the path that an OSError repeats."""
    return f"cannot be read ({error.strerror})" if isinstance(error, OSError) and error.strerror else str(error)


def bad_footage(lines: list[str], at_most: int = 20) -> FootageError:
    """One error that names the bad frames and files (the lines of `Clip.check`), the first ones where they are many."""
    shown = "".join(f"\n  {line}" for line in lines[:at_most])
    more = f"\n  and {len(lines) - at_most} more" if len(lines) > at_most else ""
    return FootageError(
        f"{len(lines)} unreadable frames or files:{shown}{more}\nReplace them, or leave them out with --skip-bad"
    )
