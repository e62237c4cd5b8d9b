"""What an uploaded file is, by its content: its name is the client's and says nothing."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final

SNIFFED: Final = 4096
"""Bytes of a file's begin that `sniff` needs."""


class Container(StrEnum):
    """A kind of file that footage comes in; the value is the ending that names it."""

    MP4 = ".mp4"
    MATROSKA = ".mkv"
    AVI = ".avi"
    TS = ".ts"
    MPEG = ".mpg"
    ASF = ".wmv"
    ZIP = ".zip"


READ_KINDS: Final = "MP4, MOV, MKV, WebM, AVI, MPEG, MPEG-TS or WMV video, or a zip of videos or folders of pictures"

_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ATOMS = frozenset([b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"])  # MOV may begin with any
_MPEG = (b"\0\0\1\xba", b"\0\0\1\xb3")  # program stream, elementary stream
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"BM", b"II*\0", b"MM\0*", b"GIF8")


class ContainerError(ValueError):
    """A file that is not of a kind that is read; the message says what it looks like, and what is read."""


def sniff(head: bytes) -> Container:
    """The kind of a file.

    Args:
        head: its first `SNIFFED` bytes, or all of it.

    Raises:
        ContainerError: of no kind that is read. A playlist (HLS, ffconcat, SDP) is text that names other files and
            addresses, so it is none, whatever its name.
    """
    if head[4:8] in _ATOMS:
        return Container.MP4
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return Container.MATROSKA
    if head.startswith(b"RIFF") and head[8:12] in (b"AVI ", b"AVIX"):
        return Container.AVI
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return Container.ZIP
    if head.startswith(_ASF):
        return Container.ASF
    if head.startswith(_MPEG):
        return Container.MPEG
    if any(_is_transport_stream(head, start, step) for start, step in ((0, 188), (4, 192))):
        return Container.TS
    raise ContainerError(f"{_describe(head)}; send a {READ_KINDS}")


def sniff_file(path: Path) -> Container:
    """The kind of a file on disk.

    Raises:
        ContainerError: of no kind that is read.
        OSError: it cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        return sniff(file.read(SNIFFED))


def _is_transport_stream(head: bytes, start: int, step: int) -> bool:
    """Whether every packet that `head` has the begin of has its mark; by chance one in 256 would."""
    marks = head[start::step]
    return len(marks) >= 3 and set(marks) == {0x47}


def _describe(head: bytes) -> str:
    if not head:
        return "the file is empty"
    if head.startswith(_PICTURES) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP"):
        return "the file is a single picture"
    if head.isascii() and b"\0" not in head:
        return "the file is text, not a video"
    return "the file is not a video that is known here"
