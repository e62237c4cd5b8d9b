"""Messages arrive whole or not at all, and whatever else arrives is an error."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from service.wire import MAX_HEAD, MAX_PAYLOAD, Message, Wire, WireError


@pytest.fixture
def ends() -> Iterator[tuple[Wire, socket.socket]]:
    ours, theirs = socket.socketpair()
    wire = Wire(ours)
    yield wire, theirs
    wire.close()
    theirs.close()


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
def test_messages_arrive_as_they_were_sent(ends: tuple[Wire, socket.socket], size: int) -> None:
    wire, other = ends[0], Wire(ends[1])
    sent = [Message("frame", {"n": n, "text": "ü", "real": 0.1}, bytes(range(256)) * (size // 256)) for n in range(3)]

    def send() -> None:
        for message in sent:
            other.send(message)

    sender = threading.Thread(target=send)
    sender.start()
    found = [wire.receive(60) for _ in sent]
    sender.join()
    assert [(m.kind, m.head, bytes(m.payload)) for m in found if m] == [(m.kind, m.head, m.payload) for m in sent]


def test_messages_of_several_threads_stay_whole(ends: tuple[Wire, socket.socket]) -> None:
    wire, other = ends[0], Wire(ends[1])

    def send(letter: int) -> None:
        for _ in range(50):
            other.send(Message("x", {"letter": letter}, bytes([letter]) * 5000))

    threads = [threading.Thread(target=send, args=(letter,)) for letter in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        message = wire.receive(60)
        assert message is not None and set(message.payload) == {message.number("letter")}
    for thread in threads:
        thread.join()


def test_the_end_is_none(ends: tuple[Wire, socket.socket]) -> None:
    ends[1].close()
    assert ends[0].ready(0) and ends[0].receive(60) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\1",
        struct.pack("<II", 10, 0) + b'["a"',
        struct.pack("<II", MAX_HEAD + 1, 0),
        struct.pack("<II", 8, MAX_PAYLOAD + 1) + b'["a",{}]',
        struct.pack("<II", 3, 0) + b"abc",
        struct.pack("<II", 3, 0) + b"\xff\xfe\xfd",
        struct.pack("<II", 2, 0) + b"{}",
        struct.pack("<II", 5, 0) + b'["a"]',
        struct.pack("<II", 8, 0) + b"[1 , {}]",
        struct.pack("<II", 8, 0) + b'["a",[]]',
        struct.pack("<II", 200_000, 0) + b"[" * 200_000,
        struct.pack("<II", 8, 5) + b'["a",{}]abc',
    ],
)
def test_anything_else_is_an_error(ends: tuple[Wire, socket.socket], data: bytes) -> None:
    def send() -> None:
        with ends[1]:
            ends[1].sendall(data)

    sender = threading.Thread(target=send)
    sender.start()
    with pytest.raises(WireError):
        ends[0].receive(60)
    ends[0].close()
    sender.join()


@pytest.mark.parametrize("data", [b"", b"\1", struct.pack("<II", 8, 5) + b'["a",{}]abc'])
def test_silence_is_noticed_also_within_a_message(ends: tuple[Wire, socket.socket], data: bytes) -> None:
    ends[1].sendall(data)
    with pytest.raises(TimeoutError):
        ends[0].receive(0.05)


def test_hanging_up_wakes_who_waits(ends: tuple[Wire, socket.socket]) -> None:
    found: list[object] = []
    waiting = threading.Thread(target=lambda: found.append(ends[0].receive()))
    waiting.start()
    ends[0].hang_up()
    waiting.join(60)
    assert found == [None]


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (Message.text, 1),
        (Message.number, 1.5),
        (Message.number, None),
        (Message.real, "1"),
        (Message.entries, {}),
    ],
)
def test_facts_of_the_wrong_kind_are_errors(read: object, value: object) -> None:
    assert callable(read)
    for head in ({"x": value}, {}):
        with pytest.raises(WireError):
            read(Message("m", head), "x")
