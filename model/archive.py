"""Zips of footage, read in place: nothing is extracted by a name that the zip chose."""

from __future__ import annotations

import lzma
import shutil
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from model.clips import FootageError
from model.pictures import MAX_PICTURE_BYTES

MAX_MEMBERS = 1_000_000
MAX_DIRECTORY_BYTES = 128 << 20  # the table of contents is read whole, before its members can be counted
MAX_RATIO = 100  # footage hardly shrinks; a bomb grows a thousandfold
RATIO_FROM = 1 << 30  # bytes; a small zip of drawn pictures may shrink by any ratio

_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, ValueError, struct.error)


class Archive:
    """A zip as a place of files, named by their cleaned path: `/` between the parts, never `..`.

    Hidden files and macOS's resource forks (`__MACOSX`) are left out.

    Raises:
        FootageError: not a zip or cut short; encrypted; too many members; a bomb; two members of one name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            _refuse_huge_directory(path)
            self._zip = zipfile.ZipFile(path)
        except OSError as error:
            raise FootageError(f"{path}: cannot be read ({error.strerror})") from error
        except _DAMAGE as error:
            raise FootageError(f"{path}: not a zip, or cut short ({error}); copy or pack it again") from error
        try:
            self._members = self._list()
        except FootageError:
            self._zip.close()
            raise

    def _list(self) -> dict[str, zipfile.ZipInfo]:
        entries = self._zip.infolist()
        if len(entries) > MAX_MEMBERS:
            raise FootageError(f"{self.path}: holds over {MAX_MEMBERS} members; split it")
        members: dict[str, zipfile.ZipInfo] = {}
        for entry in entries:
            name = _clean(entry.filename)
            if entry.is_dir() or not name:
                continue
            if entry.flag_bits & 1:
                raise FootageError(f"{self.path}: {name} is encrypted; pack it again without a password")
            if name in members:
                raise FootageError(f"{self.path}: holds {name} twice; pack it again")
            members[name] = entry
        total = sum(entry.file_size for entry in members.values())
        if total > max(RATIO_FROM, MAX_RATIO * self.path.stat().st_size):
            raise FootageError(
                f"{self.path}: would grow to {total / 1e9:.1f} GB, over {MAX_RATIO} times its size; "
                "unpack it yourself if you trust it, and give the folder"
            )
        return members

    def files(self) -> list[PurePosixPath]:
        """Every file in it."""
        return [PurePosixPath(name) for name in self._members]

    def read(self, file: str) -> bytes:
        """A whole picture file. Raises OSError."""
        member = self._members[file]
        if member.file_size > MAX_PICTURE_BYTES:
            raise OSError("too big for a picture")
        try:
            return self._zip.read(member)
        except _DAMAGE as error:
            raise OSError(f"damaged in the zip ({error})") from error

    def open(self, file: str) -> BinaryIO:
        """A copy in a nameless temporary file, since decoders seek and a zip member goes only forwards."""
        copy = tempfile.TemporaryFile()  # noqa: SIM115  # the caller closes it
        try:
            with self._zip.open(self._members[file]) as packed:
                shutil.copyfileobj(packed, copy, 1 << 20)
        except _DAMAGE as error:
            copy.close()
            raise OSError(f"damaged in the zip ({error})") from error
        except BaseException:
            copy.close()
            raise
        copy.seek(0)
        return cast(BinaryIO, copy)

    def locate(self, file: str) -> str:
        """The file's name for messages."""
        return f"{self.path}/{file}"

    def close(self) -> None:
        """Close the zip; clips read from it no longer."""
        self._zip.close()


def _clean(name: str) -> str:
    """The path inside the zip, without steps up, or "" for what is not footage."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return "" if any(part.startswith(".") or part == "__MACOSX" for part in parts) else "/".join(parts)


def _refuse_huge_directory(path: Path) -> None:
    """Refuse by the end record, as `zipfile` finds it, before `zipfile` reads the table of contents into memory."""
    with path.open("rb") as file:
        start = max(0, file.seek(0, 2) - 22 - 65_535 - 76)
        file.seek(start)
        tail = file.read()
    at = tail.rfind(b"PK\5\6", 0, len(tail) - 18)
    if at < 0:
        raise zipfile.BadZipFile("no end record")
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    if at >= 76 and tail[at - 20 : at - 16] == b"PK\6\7":  # zip64
        size = int.from_bytes(tail[at - 76 + 40 : at - 76 + 48], "little")
    if size > MAX_DIRECTORY_BYTES:
        raise FootageError(f"{path}: its table of contents is over {MAX_DIRECTORY_BYTES >> 20} MB; split it")
