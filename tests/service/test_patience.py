"""Clients that fall silent in the middle of a request."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from service.patience import Patience, Silence


@dataclass(eq=False)
class Cycle:
    response_complete: bool = False


@dataclass(eq=False)
class Connection:
    cycle: Cycle | None = None
    closed: int = 0
    transport: Any = field(init=False)

    def __post_init__(self) -> None:
        self.transport = self

    def close(self) -> None:
        self.closed += 1


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_connection_without_a_request_is_closed_after_a_while() -> None:
    clock = Clock()
    silence = Silence(30.0, monotonic=clock)
    idle, busy, websocket = Connection(), Connection(Cycle()), object()
    for _ in range(31):
        silence.look([idle, busy, websocket])
        clock.now += 1.0
        assert not idle.closed
    silence.look([idle, busy, websocket])
    assert (idle.closed, busy.closed) == (1, 0)


def test_a_connection_with_one_request_after_the_other_is_left_alone() -> None:
    clock = Clock()
    silence = Silence(30.0, monotonic=clock)
    quick = Connection()
    for _ in range(100):
        quick.cycle = Cycle(response_complete=True)
        silence.look([quick])
        clock.now += 20.0
    assert not quick.closed


def test_what_was_closed_is_forgotten() -> None:
    silence = Silence(30.0)
    silence.look([Connection()])
    silence.look([])
    assert silence._since == {}


def run(messages: list[Message | None], *, seconds: float = 60.0) -> list[str]:
    """The types of what an application receives of these messages; None: silence."""
    got: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while len(got) < len(messages):
            got.append((await receive())["type"])

    async def receive() -> Message:
        message = messages[len(got)]
        if message is None:
            await asyncio.Event().wait()
        return message or {}

    async def send(message: Message) -> None: ...

    asyncio.run(Patience(app, seconds)({"type": "http"}, receive, send))
    return got


def test_silence_in_the_middle_of_a_body_counts_as_gone() -> None:
    part = {"type": "http.request", "body": b"x", "more_body": True}
    assert run([part, part, None], seconds=0.01) == ["http.request", "http.request", "http.disconnect"]


def test_after_the_body_there_is_no_hurry() -> None:
    whole, gone = {"type": "http.request", "body": b"x"}, {"type": "http.disconnect"}
    assert run([whole, gone], seconds=60.0) == ["http.request", "http.disconnect"]
