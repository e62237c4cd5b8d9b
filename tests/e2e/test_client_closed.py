"""What the client for Python makes of a connection that the service closes: in peace it ends, otherwise it raises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.client import Client, Message, Sender, ServiceError
from tests.e2e.given import FRAMES
from tests.e2e.serving import Served, served
from tests.model.detectors import INTERVAL
from tests.waiting import wait_for


def push(client: Client, sender: Sender, count: int = 5) -> None:
    """Frames whose scores are said, and which the sender has not read."""
    for n, frame in enumerate(FRAMES[:count]):
        sender.send(frame, captured=n * INTERVAL)
    wait_for(lambda: client.stream("gate")["scored"] == count)


def scores(said: list[Message]) -> int:
    return len([message for message in said if message["type"] == "score"])


def closed(sender: Sender) -> None:
    """Returns when the service has closed the connection."""
    wait_for(lambda: sender._socket.close_code is not None)


def stop(running: Served) -> None:
    """The service ends as by SIGTERM, while its clients are connected."""
    running.server.should_exit = True


def heard(messages: Any) -> tuple[list[Message], ServiceError | None]:
    """All messages, and what they end with."""
    found: list[Message] = []
    try:
        found.extend(messages)
    except ServiceError as error:
        return found, error
    return found, None


def test_a_sender_whose_stream_was_deleted_gets_what_was_said_until_then(client: Client) -> None:
    client.create_stream(id="gate", policy="every")
    with client.ingest("gate", header=True) as sender:
        push(client, sender)
        client.delete_stream("gate")
        closed(sender)
        said, error = heard(sender.finish())
    assert scores(said) == 5
    assert (said[-1]["type"], error) == ("bye", None)


def test_a_sender_that_had_read_of_the_end_hears_it_again_in_peace(client: Client) -> None:
    client.create_stream(id="gate", policy="every")
    with client.ingest("gate", header=True) as sender:
        push(client, sender)
        client.delete_stream("gate")
        closed(sender)
        with pytest.raises(ServiceError, match="1000: the stream was deleted"):
            sender.send(FRAMES[5], captured=5 * INTERVAL)
        said, error = heard(sender.finish())
    assert scores(said) == 5
    assert error is None


@pytest.mark.parametrize("tried", [False, True], ids=["unread", "read"])
def test_a_sender_at_a_restart_gets_what_was_said_and_then_the_reason(tmp_path: Path, tried: bool) -> None:
    with served(tmp_path) as running, Client(running.url, timeout=120) as client:
        client.create_stream(id="gate", policy="every")
        with client.ingest("gate", header=True) as sender:
            push(client, sender)
            stop(running)
            closed(sender)
            if tried:
                with pytest.raises(ServiceError, match="1012"):
                    sender.send(FRAMES[5], captured=5 * INTERVAL)
            said, error = heard(sender.finish())
    assert scores(said) == 5
    assert error is not None
    assert (error.status, error.detail) == (1012, "the service restarts")


def end_stream(client: Client, running: Served) -> None:
    client.delete_stream("gate")


def restart(client: Client, running: Served) -> None:
    stop(running)


@pytest.mark.parametrize(
    ("end", "told"), [(end_stream, None), (restart, (1012, "the service restarts"))], ids=["deleted", "restart"]
)
@pytest.mark.parametrize("late", [False, True], ids=["asked before", "asked after"])
def test_pictures_end_with_their_stream_and_raise_at_a_restart(
    tmp_path: Path, end: Callable[[Client, Served], None], told: tuple[int, str] | None, late: bool
) -> None:
    with served(tmp_path) as running, Client(running.url, timeout=120) as client:
        client.create_stream(id="gate", policy="every")
        with client.ingest("gate", header=True) as sender:
            push(client, sender, 1)
            pictures = client.pictures("gate")
            assert next(pictures).jpeg.startswith(b"\xff\xd8")
            end(client, running)
            if late:
                closed(sender)
            _, error = heard(pictures)
    assert (error and (error.status, error.detail)) == told
