"""Where the bytes of an uploaded file go: to disk, and through a hash where they have to be known again."""

from __future__ import annotations

import hashlib
from pathlib import Path


class Sink:
    """One file, written as it comes; as much of a file as the framework's parser of forms needs."""

    def __init__(self, path: Path | None, *, hashed: bool) -> None:
        """Makes it.

        Args:
            path: a new file; None: nothing is kept.
            hashed: whether `sha256` is wanted.
        """
        self._file = None if path is None else path.open("xb")
        self._hash = hashlib.sha256() if hashed else None

    def write(self, data: bytes | bytearray) -> int:
        if self._hash is not None:
            self._hash.update(data)
        return len(data) if self._file is None else self._file.write(data)

    def seek(self, offset: int) -> int:
        """Whoever would read it has to open it."""
        return offset

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def sha256(self) -> str:
        """Of what was written, hexadecimal; "": not wanted."""
        return "" if self._hash is None else self._hash.hexdigest()
