"""What clients hear of the service."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from service.client import Message, ServiceError


def types(said: list[Message]) -> set[str]:
    """The types of messages."""
    return {message["type"] for message in said}


def read(socket: ClientConnection) -> list[str]:
    """Everything to the end of a connection, however it ends."""
    said: list[str] = []
    with suppress(ConnectionClosed):
        while True:
            said.append(str(socket.recv(timeout=120)))
    return said


def refusal(status: int, call: Any, *arguments: Any, **named: Any) -> str:
    """Why a call is refused, with this status."""
    with pytest.raises(ServiceError) as error:
        call(*arguments, **named)
    assert error.value.status == status
    return error.value.detail
