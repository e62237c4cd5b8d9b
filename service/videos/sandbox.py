"""Uploaded footage, decoded where it can do no harm: in a child process that is limited and has no network."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import numpy as np

from model.clips import FootageError
from model.pictures import MAX_PIXELS, Image
from service.children import Child
from service.wire import Message, WireError

MEMORY: Final = 512 << 20
"""Bytes a decoder may add to its imports. 1080p H.264 with 16 reference frames needs under 100 MiB, 3840×2160 under
150, 8192×4096 about 500; 8192×8192 would take 1 GiB for 200 kB of upload."""


_TO_START: Final = 60.0
"""Seconds a child may take for its imports on a busy machine."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came in.

    Attributes:
        path: where it lies, under a name of the service's own.
        name: what the client calls it; names the clips.
    """

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What decoding may cost.

    Attributes:
        memory: bytes of address space beyond the imports.
        seconds: of footage, over all clips; a CPU second is granted for each, and a minute more.
        pixels: of a picture.
        member_bytes: of a video inside a zip, which is unpacked to be read.
        silence: seconds without a frame.
    """

    memory: int = MEMORY
    seconds: float = 4 * 3600.0
    pixels: int = MAX_PIXELS
    member_bytes: int = 4 << 30
    silence: float = 60.0


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """How uploads are decoded.

    Attributes:
        fps: frames a second that numbered pictures count; None: `model.footage.DEFAULT_FPS`.
        colour: BGR instead of luma.
        skip_bad: leave out what cannot be read instead of failing.
    """

    fps: float | None = None
    colour: bool = False
    skip_bad: bool = False


class DecodedFrame(NamedTuple):
    """A frame as `model.footage` gives it: clip's name, frame number, seconds, uint8 H×W luma or H×W×3 BGR."""

    clip: str
    number: int
    pts: float
    image: Image


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What is known of a clip before it is decoded; None: its container does not say.

    Attributes:
        name: unique among the uploads.
        frames: how many it claims to have.
        interval: seconds between them.
    """

    name: str
    frames: int | None
    interval: float | None


class SandboxError(FootageError):
    """Uploads that cannot be decoded: what they are, what is wrong with them, or which limit they went over."""


class Decoding:
    """Uploads being decoded; iterate for the frames, close (or leave the `with`) to end it at any point.

    One thread reads. The child waits while the frames are not taken.

    Attributes:
        clips: what was found, in the order in which they come.
        fps_assumed: there are folders of frames, and their rate was not given.
        bad: one line for each frame or file left out so far, with `skip_bad`.
    """

    def __init__(self, child: Child, folder: tempfile.TemporaryDirectory[str], limits: DecodeLimits) -> None:
        """Takes over a child that has its order, and waits until it has found the clips; see `decode_in_child`."""
        self.bad: list[str] = []
        self._child: Child | None = child
        self._folder = folder
        self._silence = limits.silence
        self._channels = 0
        found = self._receive(_TO_START + limits.silence)
        try:
            if found.kind != "clips":
                raise WireError("no clips")
            self.clips = [_clip(entry) for entry in found.entries("clips")]
            self.fps_assumed = bool(found.number("fps_assumed"))
            self._channels = found.number("channels")
        except WireError:
            raise self._lost() from None

    def __iter__(self) -> Iterator[DecodedFrame]:
        """The frames, clip after clip; once.

        Raises:
            SandboxError: one cannot be decoded (without `skip_bad`), a limit is reached, or the child died.
        """
        names = frozenset(clip.name for clip in self.clips)
        while True:
            message = self._receive(self._silence)
            if message.kind == "end":
                return
            try:
                if message.kind == "bad":
                    self.bad.append(message.text("line"))
                    continue
                frame = self._frame(message)
                if frame.clip not in names:
                    raise WireError("a clip that was not announced")
            except WireError:
                raise self._lost() from None
            yield frame

    def _frame(self, message: Message) -> DecodedFrame:
        height, width = message.number("height"), message.number("width")
        whole = height * width * self._channels
        if message.kind != "frame" or min(height, width) < 1 or whole != len(message.payload):
            raise WireError("not a frame")
        shape = (height, width, 3) if self._channels == 3 else (height, width)
        image = np.frombuffer(message.payload, np.uint8).reshape(shape)
        return DecodedFrame(message.text("clip"), message.number("number"), message.real("pts"), image)

    def _receive(self, silence: float) -> Message:
        """The child's next message, or the error that it, its end or its silence means."""
        try:
            message = self._running().wire.receive(silence)
        except TimeoutError:
            self.close()
            raise SandboxError(f"decoding stood still for {silence:g} seconds and was given up") from None
        except (WireError, OSError):
            message = None
        if message is None:
            raise self._lost()
        if message.kind == "error":
            self.close()
            raise SandboxError(str(message.head.get("message"))[:2000])
        return message

    def _lost(self) -> SandboxError:
        """The child is gone, or says what it should not."""
        how = self._child.ending() if self._child else "is closed"
        self.close()
        if "SIGXCPU" in how:
            return SandboxError("decoding took too long and was given up: the file is too large, or made to be slow")
        return SandboxError(f"the decoder failed on these files ({how}); they are damaged, or made to harm")

    def _running(self) -> Child:
        if self._child is None:
            raise SandboxError("decoding was ended")
        return self._child

    def close(self) -> None:
        """End the child and remove what it wrote; again and again without harm."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def decode_in_child(
    uploads: Sequence[Upload], options: DecodeOptions | None = None, limits: DecodeLimits | None = None
) -> Decoding:
    """Decode uploads in a child process of their own; blocks until it has found the clips.

    The frames equal those of `model.footage` for files of these names: names, numbers, seconds and pictures.

    Args:
        uploads: videos, zips of videos or of folders of pictures, or folders; told apart by their content.
        options: how.
        limits: what it may cost.

    Raises:
        SandboxError: there is no footage in the uploads, or not of a kind that is read.
        OSError: no process can be started, or there is no room for its temporary folder.

    Example:
        >>> with decode_in_child([Upload(path, "gate.mp4")]) as decoding:  # doctest: +SKIP
        ...     for clip, number, pts, image in decoding:
        ...         ...
    """
    options, limits = options or DecodeOptions(), limits or DecodeLimits()
    order = {
        "uploads": [[str(upload.path.absolute()), upload.name] for upload in uploads],
        "options": asdict(options),
        "limits": asdict(limits),
    }
    folder = tempfile.TemporaryDirectory(prefix="framewatch-decode-", ignore_cleanup_errors=True)
    try:
        child = Child("service.videos.sandbox_child", folder=Path(folder.name))
    except OSError:
        folder.cleanup()
        raise
    with suppress(OSError):  # it died at once; what it then does not answer says so
        child.wire.send(Message("decode", order))
    return Decoding(child, folder, limits)


def _clip(entry: object) -> ClipFacts:
    match entry:
        case [str(name), int() | None as frames, float() | int() | None as interval]:
            return ClipFacts(name, frames, interval)
    raise WireError("not a clip")
