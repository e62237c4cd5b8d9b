"""The heads of HTTP and RTSP answers: a status and fields; and what a status means for a camera."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from service.readers.connecting import HEAD_END, Inflow
from service.readers.failures import ErrorClass, ReadError

MAX_HEAD: Final = 1 << 16
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer.

    Attributes:
        status: the number.
        fields: (name in lower case, value), in order; a name may come more than once.
    """

    status: int
    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """The first value of a field, or ""."""
        return next((value for known, value in self.fields if known == name), "")

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for known, value in self.fields if known == name]

    @property
    def length(self) -> int:
        """Bytes of the body, as `Content-Length` says; 0 where it says nothing."""
        text = self.get("content-length")
        return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0


def read_answer(inflow: Inflow) -> Answer:
    """Read the head of an answer.

    Raises:
        ReadError: it does not come, or is none.
    """
    return parse_answer(inflow.until(HEAD_END, MAX_HEAD))


def parse_answer(head: bytes) -> Answer:
    """Take the head of an answer apart. Raises ReadError where it is none."""
    first, *lines = head.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n")
    found = re.fullmatch(r"(?:HTTP|RTSP)/\d\.\d (\d{3})(?: .*)?", first)
    if found is None:
        raise ReadError(ErrorClass.CONNECTION, "what answers is no camera: it speaks another protocol")
    fields = (_CONTROL.sub("", line).partition(":") for line in lines)  # a login answers with parts of them
    return Answer(int(found[1]), tuple((name.strip().lower(), value.strip()) for name, _, value in fields))


def refuse(status: int) -> None:
    """Nothing for a status that promises a stream, an error for any other.

    Raises:
        ReadError: with what the status means.
    """
    if status == 200:
        return
    if 300 <= status < 400:
        raise ReadError(ErrorClass.REFUSED, f"the camera redirects ({status}), which is not followed: give its target")
    if status in (401, 403, 407):
        raise ReadError(ErrorClass.AUTH, f"the camera wants another user or password ({status})")
    if status in (404, 410, 454):
        raise ReadError(ErrorClass.NOT_FOUND, f"the camera has no stream under this path ({status})")
    if status in (400, 405, 406, 415, 461, 501, 505):
        raise ReadError(ErrorClass.CODEC, f"the camera does not offer its stream in a way that is read here ({status})")
    raise ReadError(ErrorClass.CONNECTION, f"the camera cannot give its stream now ({status})")
