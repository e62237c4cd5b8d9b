"""The child that decodes uploads: it limits itself, finds the clips, and sends their frames."""

from __future__ import annotations

import math
import os
import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

import cv2

from model.clips import Clip, FolderClip, FootageError
from model.footage import VIDEOS, Footage, open_footage
from model.pictures import Image
from service.confine import Limits, confine
from service.videos.containers import Container, ContainerError, sniff_file
from service.videos.sandbox import DecodeLimits, DecodeOptions
from service.wire import Message, Wire

MAX_CLIPS: Final = 10_000
_CPU_TO_START: Final = 60
_LONGEST_NAME: Final = 100
_NO_MEMORY: Final = "Cannot allocate memory"


class _Refused(Exception):
    """What was uploaded goes over a limit, or is bad; the message is for the client."""


def main(descriptor: int) -> None:
    """Do the one order that comes over the wire."""
    wire = Wire.adopt(descriptor)
    order = wire.receive()
    if order is None:
        return
    options, limits = DecodeOptions(**order.head["options"]), DecodeLimits(**order.head["limits"])
    cv2.setNumThreads(1)
    confine(
        Limits(
            limits.memory,
            file_bytes=limits.member_bytes,
            cpu_seconds=_CPU_TO_START + math.ceil(limits.seconds),
        )
    )
    folder = Path.cwd()
    try:
        for message in decode(order.head["uploads"], folder, options, limits):
            wire.send(message)
    except OSError:
        return  # the service no longer listens


def decode(
    uploads: Sequence[Sequence[str]], folder: Path, options: DecodeOptions, limits: DecodeLimits
) -> Iterator[Message]:
    """The messages that the uploads make.

    Args:
        uploads: path and client's name of each.
        folder: empty; gets a link to each upload.
        options: how.
        limits: those that are not the process's own.
    """
    too_big = f"needs more memory than the {limits.memory >> 20} MiB a video may take: its pictures are too large"
    try:
        links = [_link(Path(path), name, folder / str(at)) for at, (path, name) in enumerate(uploads)]
        with open_footage(links, fps=options.fps) as footage:
            yield _clips(footage, options)
            yield from _frames(footage, folder, options, limits)
        yield Message("end", {})
    except (MemoryError, cv2.error):
        yield Message("error", {"message": f"the upload {too_big}"})
    except (FootageError, ContainerError, _Refused) as error:
        said = str(error)
        if _NO_MEMORY in said:
            said = f"{said.partition(': ')[0]}: {too_big}"
        yield Message("error", {"message": _shown(said, folder)})
    except OSError as error:
        yield Message("error", {"message": f"the upload cannot be read ({error.strerror or error})"})


def _link(path: Path, name: str, folder: Path) -> Path:
    """A link to an upload under the client's name for it, with the ending that its content asks for."""
    try:
        kind = None if path.is_dir() else sniff_file(path)
    except ContainerError as error:
        raise ContainerError(f"{_link_name(name, None)}: {error}") from None
    link = folder / _link_name(name, kind)
    folder.mkdir()
    link.symlink_to(path)
    return link


def _link_name(name: str, kind: Container | None) -> str:
    """A client's name for a file, made harmless as the name of one here."""
    last = PurePosixPath(unicodedata.normalize("NFC", name).replace("\\", "/")).name
    plain = "".join(letter for letter in last if letter.isprintable()).strip().lstrip(".") or "upload"
    stem, ending = os.path.splitext(plain)
    if kind is not None:
        fits = (ending.lower() == ".zip") if kind is Container.ZIP else (ending.lower() in VIDEOS)
        stem, ending = (stem, ending) if fits else (plain, kind.value)
    while len((stem + ending).encode()) > _LONGEST_NAME:
        stem = stem[:-1]
    return stem + ending


def _clips(footage: Footage, options: DecodeOptions) -> Message:
    if len(footage.clips) > MAX_CLIPS:
        raise _Refused(f"{len(footage.clips)} clips are over the limit of {MAX_CLIPS}; send them in several uploads")
    clips = [[clip.name, *_facts(clip)] for clip in footage.clips]
    channels = 3 if options.colour else 1
    return Message("clips", {"clips": clips, "fps_assumed": int(footage.fps_assumed), "channels": channels})


def _facts(clip: Clip) -> tuple[int | None, float | None]:
    """Number of frames and their interval; of a video in a zip neither, as it would have to be unpacked for that."""
    if isinstance(clip, FolderClip) or Path(getattr(clip, "where", "")).exists():
        return clip.frame_count, clip.interval
    return None, None


def _frames(footage: Footage, folder: Path, options: DecodeOptions, limits: DecodeLimits) -> Iterator[Message]:
    bad: list[str] = []

    def on_bad(line: str) -> None:
        if _NO_MEMORY in line or not options.skip_bad:
            raise _Refused(line)
        bad.append(line)

    total = 0.0
    for clip in footage.clips:
        first = last = None
        for frame in clip.frames(colour=options.colour, skip_bad=True, on_bad=on_bad):
            yield from _bad_lines(bad, folder)
            first, last = min(frame.pts, first or frame.pts), max(frame.pts, last or frame.pts)
            if total + last - first > limits.seconds:
                raise _Refused(f"{clip.name}: the footage is longer than the {limits.seconds:g} seconds allowed")
            yield _frame(clip.name, frame.number, frame.pts, frame.image, limits)
        yield from _bad_lines(bad, folder)
        total += 0.0 if first is None or last is None else last - first


def _bad_lines(bad: list[str], folder: Path) -> Iterator[Message]:
    while bad:
        yield Message("bad", {"line": _shown(bad.pop(0), folder)})


def _frame(clip: str, number: int, pts: float, image: Image, limits: DecodeLimits) -> Message:
    height, width = image.shape[:2]
    if height * width > limits.pixels:
        raise _Refused(f"{clip}: {width}×{height} pixels are over the limit of {limits.pixels}")
    head: dict[str, Any] = {"clip": clip, "number": number, "pts": pts, "height": height, "width": width}
    return Message("frame", head, image.data.cast("B") if image.flags.c_contiguous else image.tobytes())


def _shown(text: str, folder: Path) -> str:
    """A message in one line, without where the uploads lie here."""
    return " ".join(re.sub(re.escape(str(folder)) + r"/(?:\d+/)?", "", text).split())


if __name__ == "__main__":
    main(int(sys.argv[1]))
