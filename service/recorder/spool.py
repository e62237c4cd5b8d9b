"""The pictures of a clip in a file, as they come: what a clip is encoded from, also after a crash."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from service.recorder.ring import Still

_HEAD: Final = struct.Struct("<dI")  # capture time, bytes
_MOST: Final = 1 << 28


def append(path: Path, stills: Sequence[Still]) -> int:
    """Adds pictures to the end of a file.

    Returns:
        Bytes that were added.

    Raises:
        OSError: they cannot be written; the file may end in the middle of one.
    """
    data = b"".join(part for still in stills for part in (_HEAD.pack(still.captured, len(still.data)), still.data))
    with open(path, "ab") as file:
        file.write(data)
    return len(data)


def read(path: Path) -> Iterator[Still]:
    """The pictures of a file, in order; what was cut off in the middle of one is left out.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            captured, size = _HEAD.unpack(head)
            if size > _MOST or len(data := file.read(size)) < size:
                return
            yield Still(captured, data)
