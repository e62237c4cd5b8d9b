"""Cases for `bench.fuzz`: data that is almost what the service expects, or not at all, and who has to bear it.

Run as a child process, which bears them one after the other and tells what came of each.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import socket
import struct
import sys
import tempfile
import threading
import traceback
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import cv2

from model.pictures import PictureError, decode_image
from service.addresses import AddressError, parse_source, redact
from service.confine import Limits, confine
from service.readers.answers import parse_answer
from service.readers.failures import ErrorClass, ReadError
from service.readers.jpegs import read_jpeg
from service.readers.pictures import Picture
from service.readers.protocol import Condition, dropped_of, frame_of
from service.readers.rtp import Assembler, parse_packet
from service.readers.rtsp import Decoder
from service.readers.sdp import Track, video_track
from service.videos.containers import ContainerError, sniff
from service.videos.sandbox import MEMORY, DecodeLimits, DecodeOptions
from service.videos.sandbox_child import decode
from service.wire import Message, Wire, WireError
from tests.model.drawn import encoded, write_video
from tests.service.readers.servers import nal_units, rtp_packets, sdp

CLEAN: Final = (PictureError, ContainerError, ReadError, WireError, AddressError)
"""What bad data may end in: errors whose message is for the client."""

_EXTREMES: Final = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
_VIDEOS: Final = {
    "v.mp4": ("libx264", "yuv420p"),
    "v.mov": ("mpeg4", "yuv420p"),
    "v.mkv": ("libx264", "yuv420p"),
    "v.avi": ("mjpeg", "yuvj420p"),
    "w.avi": ("libx264", "yuv420p"),
    "v.webm": ("libvpx", "yuv420p"),
    "v.ts": ("libx264", "yuv420p"),
    "v.mpg": ("mpeg2video", "yuv420p"),
    "v.wmv": ("wmv2", "yuv420p"),
    "x.mkv": ("ffv1", "yuv420p"),
}


def mutate(data: bytes, dice: random.Random) -> bytes:
    """Data with one to four faults in it."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        if not changed:
            break
        at = dice.randrange(len(changed))
        length = min(dice.choice([1, 4, 16, 256]), len(changed) - at)
        match dice.randrange(7):
            case 0:  # single bytes
                for _ in range(dice.randint(1, 30)):
                    changed[dice.randrange(len(changed))] = dice.randrange(256)
            case 1:  # a number that goes to the edge
                value = struct.pack(dice.choice("<>") + "I", dice.choice(_EXTREMES))
                changed[at : at + 4] = value
            case 2:  # cut short
                del changed[at:]
            case 3:  # a piece is missing
                del changed[at : at + length]
            case 4:  # a piece comes twice
                changed[at:at] = changed[at : at + length]
            case 5:  # a piece is noise
                changed[at : at + length] = dice.randbytes(length)
            case _:  # a piece comes from elsewhere
                other = dice.randrange(len(changed))
                changed[at : at + length] = changed[other : other + length]
    return bytes(changed)


@cache
def _pictures() -> list[bytes]:
    jpeg = encoded(".jpg")
    return [
        jpeg,
        encoded(".jpg", 3, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
        encoded(".jpg", 5, [cv2.IMWRITE_JPEG_RST_INTERVAL, 4]),
        jpeg[:2] + b"\xff\xe1" + (len(jpeg) + 8).to_bytes(2, "big") + b"Exif\0\0" + jpeg + jpeg[2:],
        encoded(".png"),
        encoded(".bmp"),
        encoded(".tiff"),
        encoded(".webp"),
    ]


@cache
def _containers() -> list[tuple[str, bytes]]:
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for name, (codec, pixels) in _VIDEOS.items():
            path = write_video(Path(folder) / name, 8, codec=codec, pixels=pixels, rate=25)
            found.append((name, path.read_bytes()))
        path = Path(folder) / "x.zip"
        for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            with zipfile.ZipFile(path, "w", kind) as archive:
                for at in range(3):
                    archive.writestr(f"01/{at}.jpg", encoded(".jpg", at))
                archive.writestr("02/v.mp4", found[0][1])
            found.append(("x.zip", path.read_bytes()))
        return found


@cache
def _packets() -> list[bytes]:
    packets: list[bytes] = []
    for at, units in enumerate(nal_units(6)):
        packets += rtp_packets(units, sequence=len(packets), timestamp=at * 3600)
    return packets


def _picture(dice: random.Random) -> None:
    decode_image(mutate(dice.choice(_pictures()), dice), colour=dice.random() < 0.3)


def _container(dice: random.Random) -> None:
    name, data = dice.choice(_containers())
    folder = Path(tempfile.mkdtemp(prefix="framewatch-fuzz-"))
    try:
        (folder / "0001").write_bytes(mutate(data, dice))
        (folder / "links").mkdir()
        options = DecodeOptions(skip_bad=dice.random() < 0.7, colour=dice.random() < 0.2)
        limits = DecodeLimits(seconds=60.0)
        for message in decode([(str(folder / "0001"), name)], folder / "links", options, limits):
            if message.kind == "error" and "\n" in message.text("message"):
                raise AssertionError("an error of more than one line")
    finally:
        shutil.rmtree(folder)


def _noise(dice: random.Random) -> None:
    data = dice.randbytes(dice.choice([0, 1, 12, 100, 5000]))
    for reader in (decode_image, sniff):
        try:
            reader(data)
        except CLEAN:
            continue
    text = data.decode("latin-1")
    redact(text)
    parse_source(text)


class _Stream:
    """Data as a connection that then ends."""

    def __init__(self, data: bytes, dice: random.Random) -> None:
        self.buffer = bytearray()
        self._data, self._at, self._dice = data, 0, dice

    def more(self) -> None:
        if self._at >= len(self._data):
            raise ReadError(ErrorClass.CONNECTION, "end")
        size = self._dice.choice([1, 100, 5000])
        self.buffer += self._data[self._at : self._at + size]
        self._at += size


def _mjpeg(dice: random.Random) -> None:
    parts = [b"--frame\r\nContent-Length: 9\r\n\r\n" + dice.choice(_pictures()[:4]) for _ in range(4)]
    stream = _Stream(mutate(b"".join(parts), dice), dice)
    while True:  # until the stream's end is raised
        data = read_jpeg(stream, 50_000)
        if data is not None:
            try:
                decode_image(data)
            except PictureError:
                continue


def _rtp(dice: random.Random) -> None:
    codec = dice.choice(["h264", "hevc"])
    track = Track("hevc" if codec == "hevc" else "h264", 96, 90_000, "")
    units, decoder = Assembler(track.codec, 50_000), Decoder(track, 1 << 20, colour=False)
    for data in _packets():
        packet = parse_packet(mutate(data, dice) if dice.random() < 0.3 else data)
        for unit in units.push(packet) if packet else []:
            for found in decoder.decode(unit, units.lost):
                if isinstance(found, Picture) and isinstance(found.data, bytes):
                    raise AssertionError("a picture that is not decoded")


def _answer(dice: random.Random) -> None:
    answer = b'RTSP/1.0 401 No\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm="x", nonce="y"\r\nContent-Length: 9'
    parse_answer(mutate(answer, dice))
    video_track(mutate(sdp(parameters=";sprop-parameter-sets=Z0I=,aM4=").encode(), dice).decode("utf-8", "replace"))


def _wire(dice: random.Random) -> None:
    head = dice.choice(
        [
            b'["frame",{"key":1,"number":7,"pts":0.5,"captured":1.0,"shape":[4,4],"dropped":{"bad":1}}]',
            b'["condition",{"key":1,"health":"live","reason":"","class":null}]',
            b'["vitals",{"rss":1,"descriptors":2,"threads":3,"tries":4}]',
        ]
    )
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(mutate(struct.pack("<II", len(head), 16) + head + bytes(16), dice))
    wire = Wire(ours)
    try:
        message = wire.receive(1.0)
        if message is not None:
            frame_of(message)
            dropped_of(message)
            Condition.of(message)
    finally:
        wire.close()


KINDS: Final[dict[str, Callable[[random.Random], None]]] = {
    "picture": _picture,
    "container": _container,
    "noise": _noise,
    "mjpeg": _mjpeg,
    "rtp": _rtp,
    "answer": _answer,
    "wire": _wire,
}


def bear(kind: str, seed: int) -> str:
    """Have a case borne; gives "" where it was, else what it should not have ended in."""
    try:
        KINDS[kind](random.Random(seed))
    except CLEAN:
        return ""
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})"[:300]
    return ""


def main(descriptor: int) -> None:
    """Bear the cases that come over the wire."""
    wire = Wire.adopt(descriptor)
    _pictures(), _containers(), _packets()  # before the limits, so that no case has to pay for them
    confine(Limits(MEMORY, file_bytes=1 << 30, network=True))
    while (message := wire.receive()) is not None:
        wrong = bear(message.text("case"), message.number("seed"))
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        facts = {
            "wrong": wrong,
            "rss": pages * resource.getpagesize(),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "threads": threading.active_count(),
        }
        wire.send(Message("borne", facts))


if __name__ == "__main__":
    main(int(sys.argv[1]))
