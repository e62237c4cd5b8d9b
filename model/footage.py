"""Clips from folders of frames, videos and zips: (clip, frame number, time stamp, picture), in order."""

from __future__ import annotations

import math
import os
import re
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path, PurePath
from types import TracebackType
from typing import BinaryIO, Self

from model.archive import Archive
from model.clips import Clip, FolderClip, FootageError, Frame, Place, bad_footage
from model.listing import listed
from model.pictures import MAX_PICTURE_BYTES, Image
from model.video import VideoClip

__all__ = ["DEFAULT_FPS", "Clip", "Footage", "FootageError", "Frame", "Image", "bad_footage", "open_footage"]

DEFAULT_FPS = 10.0
PICTURES = frozenset([".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"])
_MPEG = frozenset([".mpg", ".mpeg", ".vob", ".ts", ".mts", ".m2ts"])
VIDEOS = _MPEG | {".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".avi", ".mkv", ".webm", ".wmv", ".asf"}
_NOT_READ = (
    *(".zip", ".7z", ".rar", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst"),  # a zip: where one is given
    *(".flv", ".f4v", ".ogv", ".ogm", ".rm", ".rmvb", ".mxf", ".dv", ".dav", ".y4m", ".gif", ".mjpg", ".mjpeg"),
    *(".h264", ".264", ".h265", ".265", ".hevc", ".m1v", ".m2v"),
)
"""Endings of what may hold footage, but is no clip where it lies in a folder or a zip."""
_LOOKED_FOR = f"pictures ({', '.join(sorted(PICTURES))}) and videos ({', '.join(sorted(VIDEOS))})"


@dataclass
class Footage:
    """Opened footage; a context manager, since zips stay open while they are read.

    Attributes:
        clips: in the natural order of their names (2 before 10), which are unique.
        fps_assumed: there are folders of frames, and `DEFAULT_FPS` was assumed for them.
        passed_over: files in the folders and zips that look like footage but are not read: archives, other videos.
    """

    clips: list[Clip]
    fps_assumed: bool
    passed_over: list[str] = field(default_factory=list)
    _open: ExitStack = field(default_factory=ExitStack, repr=False)

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_footage(paths: Sequence[Path], *, fps: float | None = None) -> Footage:
    """Find the clips in folders, videos and zips; nothing is decoded yet.

    A folder is searched all the way down: each folder that directly holds pictures is a clip, each video file is a
    clip. A clip is named by its folder or file; where two have the same name, by the shortest path that tells them
    apart (`a/01`, `b/01`).

    Args:
        paths: folders, video files, zips of either.
        fps: frames per second that the numbers of picture files count (default `DEFAULT_FPS`); videos have time
            stamps of their own.

    Raises:
        FootageError: a path is missing, unreadable, of unknown type or holds no footage; frame numbers are missing
            or double.
    """
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise FootageError(f"fps must be a positive number, not {fps}")
    found: list[_Found] = []
    passed_over: list[str] = []
    with ExitStack() as opened:
        for path in paths:
            part = list(_search(path, opened, fps, passed_over))
            if not part:
                but = f"; not read: {listed(passed_over)}" if passed_over else ""
                raise FootageError(f"{path}: holds no footage; looked for {_LOOKED_FOR}{but}")
            found += part
        clips = [clip.make(name) for name, clip in zip(_names(found), found, strict=True)]
        clips.sort(key=lambda clip: _natural(clip.name))
        assumed = fps is None and any(isinstance(clip, FolderClip) for clip in clips)
        return Footage(clips, assumed, passed_over, opened.pop_all())


@dataclass(frozen=True, slots=True)
class _Found:
    """A clip without its name.

    Attributes:
        folder: where it lies, from the root of the file system; a zip counts as a folder.
        label: its name, if no other clip has it.
        full_label: its name with the ending of the file, which tells `x.mp4` from `x.avi`.
        make: builds the clip, given its unique name.
    """

    folder: tuple[str, ...]
    label: str
    full_label: str
    make: Callable[[str], Clip]


class _Folder:
    """A folder as a place of files, named by their path."""

    def read(self, file: str) -> bytes:
        with open(file, "rb", buffering=0) as opened:
            if os.fstat(opened.fileno()).st_size > MAX_PICTURE_BYTES:
                raise OSError("too big for a picture")
            return opened.read()

    def open(self, file: str) -> BinaryIO:
        return open(file, "rb")

    def locate(self, file: str) -> str:
        return file


def _search(path: Path, opened: ExitStack, fps: float | None, passed_over: list[str]) -> Iterator[_Found]:
    """The clips of one path the user gave."""
    whole = Path(os.path.abspath(path))  # not resolved: a clip goes by the name of the link that was given
    try:
        mode = whole.stat().st_mode
    except OSError as error:
        raise FootageError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    ending = whole.suffix.lower()
    if stat.S_ISDIR(mode):
        for folder, names in _walk(whole):
            parts = folder.parts[1:] or ("footage",)
            yield from _clips_of(_Folder(), str(folder), names, parts, fps, passed_over)
    elif stat.S_ISREG(mode) and ending in VIDEOS:
        yield from _clips_of(_Folder(), str(whole.parent), [whole.name], whole.parent.parts[1:], fps, passed_over)
    elif stat.S_ISREG(mode) and ending == ".zip":
        archive = Archive(path)
        opened.callback(archive.close)
        held: dict[PurePath, list[str]] = defaultdict(list)
        for file in archive.files():
            held[file.parent].append(file.name)
        for inside, names in held.items():
            parts = (*whole.parts[1:], *inside.parts)
            folder_inside = "/".join(inside.parts)
            label = parts[-1] if inside.parts else whole.stem
            yield from _clips_of(archive, folder_inside, names, parts, fps, passed_over, label)
    else:
        videos = ", ".join(sorted(VIDEOS))
        raise FootageError(f"{path}: of unknown type; give a folder of frames, a video ({videos}) or a zip of either")


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every folder below `root` with the names of its files; links are followed, but not in circles."""
    waiting: list[tuple[Path, frozenset[tuple[int, int]]]] = [(root, frozenset())]
    while waiting:
        folder, above = waiting.pop()
        names: list[str] = []
        try:
            status = folder.stat()
            inode = (status.st_dev, status.st_ino)
            if inode in above:
                raise FootageError(f"{folder}: a link back to a folder above it; remove it, or give each clip")
            inner = above | {inode}
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or entry.name == "__MACOSX":
                        continue
                    if entry.is_dir():
                        waiting.append((folder / entry.name, inner))
                    elif entry.is_file():
                        names.append(entry.name)
                    elif PurePath(entry.name).suffix.lower() in PICTURES | VIDEOS:
                        raise FootageError(f"{folder / entry.name}: a broken link or no regular file; remove it")
        except OSError as error:
            where = error.filename or folder
            raise FootageError(f"{where}: cannot be read ({error.strerror}); check its permissions") from error
        yield folder, names


def _clips_of(
    place: Place,
    folder: str,
    names: Iterable[str],
    parts: tuple[str, ...],
    fps: float | None,
    passed_over: list[str],
    label: str | None = None,
) -> Iterator[_Found]:
    """The clips directly in one folder: its pictures together, and each of its videos.

    `folder` is its path in `place`, `parts` its path from the root of the file system, `label` its name if it is not
    the last of them. Files that are not read, but may hold footage, are added to `passed_over`.
    """
    pictures: list[tuple[int, str]] = []
    for name in names:
        file = f"{folder}/{name}" if folder else name
        ending = PurePath(name).suffix.lower()
        if ending in PICTURES:
            pictures.append((_frame_number(name, place.locate(file)), file))
        elif ending in VIDEOS:
            make = partial(VideoClip, where=place.locate(file), open_file=partial(place.open, file))
            yield _Found(parts, PurePath(name).stem, name, make)
        elif name.lower().endswith(_NOT_READ):
            passed_over.append(place.locate(file))
    if pictures:
        pictures.sort()
        for (number, file), (again, other) in pairwise(pictures):
            if number == again:
                raise FootageError(
                    f"{place.locate(file)} and {PurePath(other).name} both have the frame number {number}; "
                    "give each clip a folder of its own"
                )
        make_folder = partial(FolderClip, place=place, files=tuple(pictures), fps=fps or DEFAULT_FPS)
        yield _Found(parts[:-1], label or parts[-1], parts[-1], make_folder)


def _frame_number(name: str, where: str) -> int:
    runs = re.findall("[0-9]+", PurePath(name).stem)
    if not runs:
        raise FootageError(f"{where}: has no frame number in its name; number the frames, or move it out of the folder")
    if len(runs[-1]) > 18:  # tables and the store keep 64 bits
        raise FootageError(f"{where}: its frame number has over 18 digits")
    return int(runs[-1])


def _names(found: Sequence[_Found]) -> list[str]:
    """Unique names: the label, led by as few folders as tell the clips apart."""
    alike: dict[tuple[str, ...], int] = defaultdict(int)
    for clip in found:
        alike[(*clip.folder, clip.label)] += 1
    whole = [(*c.folder, c.label if alike[(*c.folder, c.label)] == 1 else c.full_label) for c in found]
    depths = [1] * len(found)
    while True:
        users: dict[str, list[int]] = defaultdict(list)
        for at, (parts, depth) in enumerate(zip(whole, depths, strict=True)):
            users["/".join(parts[-depth:])].append(at)
        if len(users) == len(found):
            return list(users)
        for same in users.values():
            if len(same) > 1:
                if len({whole[at] for at in same}) == 1:
                    raise FootageError(f"{Path('/', *whole[same[0]])}: given twice; give every clip once")
                for at in same:
                    depths[at] += 1


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sort key: numbers in the name by value, whatever their length."""
    parts = re.split("([0-9]+)", name)  # text and numbers in turn
    parts[1::2] = [number.lstrip("0") for number in parts[1::2]]
    return [(len(part) if at % 2 else 0, part) for at, part in enumerate(parts)], name
