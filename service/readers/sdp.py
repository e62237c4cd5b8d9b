"""The video track in what an RTSP camera describes (SDP, RFC 8866)."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from dataclasses import dataclass
from typing import Final, Literal

from service.readers.failures import ErrorClass, ReadError

Codec = Literal["h264", "hevc"]

_CODECS: Final[dict[str, Codec]] = {"H264": "h264", "H265": "hevc"}
_SETS: Final = ("sprop-parameter-sets", "sprop-vps", "sprop-sps", "sprop-pps")


@dataclass(frozen=True, slots=True)
class Track:
    """A video track.

    Attributes:
        codec: FFmpeg's name.
        payload_type: of its packets.
        clock: ticks a second of its time stamps.
        control: its address, in full or after that of the stream.
        parameter_sets: NAL units that the decoder needs first, as far as the description has them.
    """

    codec: Codec
    payload_type: int
    clock: int
    control: str
    parameter_sets: tuple[bytes, ...] = ()


def video_track(text: str) -> Track:
    """The first video track that can be decoded.

    Raises:
        ReadError: there is none.
    """
    sections = re.split(r"^m=", text.replace("\r\n", "\n"), flags=re.MULTILINE)[1:]
    videos = [section for section in sections if section.startswith("video ")]
    for section in videos:
        attributes = re.findall(r"^a=([a-z]+):(.*)$", section, flags=re.MULTILINE)
        control = next((value.strip() for name, value in attributes if name == "control"), "")
        for value in (value for name, value in attributes if name == "rtpmap"):
            found = re.fullmatch(r"(\d{1,3}) +([\w.-]+)/(\d{1,9})(?:/\d+)?", value.strip())
            if found is not None and found[2].upper() in _CODECS and int(found[3]) > 0:
                fmtp = " ".join(v for name, v in attributes if name == "fmtp" and v.startswith(f"{found[1]} "))
                sets = _parameter_sets(fmtp)
                return Track(_CODECS[found[2].upper()], int(found[1]), int(found[3]), control, sets)
    what = "sends a codec that is not read over RTSP (H.264 and H.265 are)" if videos else "sends no video"
    raise ReadError(ErrorClass.CODEC, f"the camera {what}; a camera of MJPEG gives it over HTTP")


def _parameter_sets(parameters: str) -> tuple[bytes, ...]:
    found = dict(re.findall(r"([a-z-]+) *= *([^;\s]+)", parameters))
    encoded = [one for name in _SETS for one in found.get(name, "").split(",") if one]
    try:
        return tuple(b64decode(one + "=" * (-len(one) % 4), validate=True) for one in encoded)
    except (Error, ValueError):
        return ()  # most cameras send them with the pictures too
