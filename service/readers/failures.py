"""Why a source cannot be read: a few fixed classes, of which some end the trying."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class ErrorClass(StrEnum):
    """What kind of failure it was. Clients see these words."""

    CONNECTION = "connection"  # cannot be reached, or ended the connection
    TIMEOUT = "timeout"  # does not answer, or stopped sending
    TLS = "tls"  # certificate or encryption
    AUTH = "auth"  # user or password
    NOT_FOUND = "not_found"  # no stream under this path
    CODEC = "codec"  # sends nothing that can be decoded
    FILE = "file"  # a file or webcam of the configuration
    REFUSED = "refused"  # the service will not read it: forbidden address, redirect
    READER = "reader"  # the process that read it was lost; it is read again


PERMANENT: Final = frozenset(
    [ErrorClass.AUTH, ErrorClass.NOT_FOUND, ErrorClass.CODEC, ErrorClass.FILE, ErrorClass.REFUSED]
)
"""Failures that trying again does not mend: a camera whose password is wrong may lock the account."""


class ReadError(Exception):
    """A source that cannot be read, or not any further.

    The message is one fixed sentence with nothing in it that the source said or the URL holds.

    Attributes:
        error_class: what kind.
    """

    def __init__(self, error_class: ErrorClass, message: str) -> None:
        super().__init__(message)
        self.error_class = error_class

    @property
    def permanent(self) -> bool:
        """Whether trying again is of no use."""
        return self.error_class in PERMANENT
