"""The child that encodes clips: at a low priority, with bounded memory and without the network."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

import av
import cv2

from service.confine import Limits, confine
from service.recorder.mp4 import ClipError, write_mp4
from service.recorder.ring import Still
from service.recorder.spool import read
from service.wire import Message, Wire

MEMORY: Final = 1 << 30
FILE_BYTES: Final = 1 << 30
_LOW: Final = 15


def main(descriptor: int) -> None:
    """Encode what is asked for, one clip after the other, until the service hangs up."""
    wire = Wire.adopt(descriptor)
    cv2.setNumThreads(1)
    os.nice(_LOW)
    confine(Limits(MEMORY, file_bytes=FILE_BYTES))
    while (order := wire.receive()) is not None:
        until = order.head.get("until")
        wire.send(encode(Path(order.text("spool")), Path(order.text("clip")), until))


def encode(spool: Path, clip: Path, until: float | None) -> Message:
    """The answer to an order.

    Args:
        spool: the pictures.
        clip: the file to be written.
        until: capture time of the last picture at most; None: all.
    """
    try:
        return Message("written", asdict(write_mp4(_until(read(spool), until), clip)))
    except ClipError as error:
        return Message("failed", {"reason": str(error)})
    except MemoryError:
        return Message("failed", {"reason": "its pictures need more memory than encoding may use"})
    except OSError as error:  # av.error.FFmpegError is one, where the system failed
        return Message("failed", {"reason": f"it could not be written ({error.strerror or error})"})
    except (av.error.FFmpegError, cv2.error, ValueError) as error:
        return Message("failed", {"reason": f"it could not be encoded ({type(error).__name__})"})


def _until(stills: Iterator[Still], until: float | None) -> Iterator[Still]:
    return (still for still in stills if until is None or still.captured <= until)


if __name__ == "__main__":
    main(int(sys.argv[1]))
