"""Files of the configuration as sources: a video, a folder or zip of frames, played once or again and again."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from pathlib import Path

from model.clips import Clip, FootageError
from model.footage import Footage, open_footage
from service.readers.failures import ErrorClass, ReadError
from service.readers.pictures import Bad, Picture


class FileSource:
    """Footage that is read as `framewatch score` reads it: the same numbers, seconds and pictures.

    Where it begins anew, or its next clip begins, the seconds start at 0 again: a jump back, which tells the sampler
    that what it saw before is over. A seamless one ends as it begins, so its seconds go on.
    """

    live = False

    def __init__(
        self, path: Path, *, loop: bool = False, seamless: bool = False, colour: bool = False, first: int = 0
    ) -> None:
        """Makes it; nothing is opened yet.

        Args:
            path: as `model.footage.open_footage` takes it.
            loop: begin anew at the end.
            seamless: its end goes over into its beginning.
            colour: BGR instead of luma.
            first: how many frames have been read before; they are left out, unless it loops.
        """
        self._path = path
        self._loop = loop
        self._seamless = seamless
        self._colour = colour
        self._first = first
        self._ended = threading.Event()

    def pictures(self) -> Generator[Picture | Bad, None, None]:
        try:
            with open_footage([self._path]) as footage:
                yield from self._rounds(footage)
        except FootageError as error:
            raise ReadError(ErrorClass.FILE, self._without_folder(str(error))) from None

    def interrupt(self) -> None:
        self._ended.set()

    def _rounds(self, footage: Footage) -> Iterator[Picture | Bad]:
        own_numbers = len(footage.clips) == 1 and not self._loop  # else each clip and round would begin at 0 again
        count = self._first if self._loop else 0
        origin, last, step = 0.0, 0.0, 0.0
        while True:
            good, why = 0, f"{self._path.name}: not one frame of it can be read"
            for clip in footage.clips:
                for found in self._clip(clip):
                    if self._ended.is_set():
                        return
                    number = count
                    if isinstance(found, Picture):
                        good += 1
                        number = found.number if own_numbers and found.number is not None else count
                        pts = origin + (found.pts or 0.0)
                        last, step = pts, pts - last
                        found = Picture(pts, found.data, number)
                    else:
                        why = found.reason
                    count += 1
                    if number >= self._first:
                        yield found
            if not good:
                raise ReadError(ErrorClass.FILE, why)
            if not self._loop:
                return
            origin = last + step if self._seamless else 0.0

    def _clip(self, clip: Clip) -> Iterator[Picture | Bad]:
        """Pictures with the numbers that they have in their clip, and the bad ones between them."""
        bad: list[str] = []
        for frame in clip.frames(colour=self._colour, skip_bad=True, on_bad=bad.append):
            yield from self._drain(bad)
            yield Picture(frame.pts, frame.image, frame.number)
        yield from self._drain(bad)

    def _drain(self, bad: list[str]) -> Iterator[Bad]:
        while bad:
            yield Bad(self._without_folder(bad.pop(0)))

    def _without_folder(self, text: str) -> str:
        return text.replace(f"{self._path.parent}/", "")
