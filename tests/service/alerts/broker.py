"""A real Mosquitto on this machine, and a client that notes what it is told."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.service.alerts.receiver import free_port
from tests.waiting import wait_for

USER, PASSWORD = "framewatch", "hunter2"


def mosquitto() -> str:
    """The program; without it the test is skipped."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if found is None:
        pytest.skip("no mosquitto: apt-get install mosquitto")
    return found


@contextmanager
def broker(
    folder: Path, *, port: int = 0, password: bool = False, tls: tuple[Path, Path] | None = None
) -> Iterator[int]:
    """Runs a broker until the block ends; its port."""
    program, port = mosquitto(), port or free_port()
    lines = [f"listener {port} 127.0.0.1", f"allow_anonymous {str(not password).lower()}", "persistence false"]
    if password:
        passwords = folder / "passwords"
        passwords.touch(0o600)
        subprocess.run(["mosquitto_passwd", "-b", passwords, USER, PASSWORD], check=True)
        lines.append(f"password_file {passwords}")
    if tls is not None:
        lines += [f"certfile {tls[0]}", f"keyfile {tls[1]}"]
    configuration = folder / f"mosquitto-{port}.conf"
    configuration.write_text("\n".join([*lines, "user root", ""]))
    process = subprocess.Popen([program, "-c", configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _listens(port))
        yield port
    finally:
        process.terminate()
        process.wait(60)


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


class Ear:
    """Subscribes to everything.

    Attributes:
        kept: the newest payload of each topic; those that are empty are gone.
        all: topic and payload of each message, in order.
    """

    def __init__(self, port: int, *, password: bool = False) -> None:
        self.kept: dict[str, str] = {}
        self.all: list[tuple[str, str]] = []
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        if password:
            self._client.username_pw_set(USER, PASSWORD)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(120)

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        payload = message.payload.decode()
        self.all.append((message.topic, payload))
        if payload and not message.topic.endswith("/event"):  # which is told and not kept
            self.kept[message.topic] = payload
        else:
            self.kept.pop(message.topic, None)

    def wait(self, **expected: str) -> None:
        """Waits until topics, given with `__` for `/`, have these payloads."""
        wanted = {name.replace("__", "/"): payload for name, payload in expected.items()}
        wait_for(lambda: wanted.items() <= self.kept.items())

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def ear(port: int, *, password: bool = False) -> Iterator[Ear]:
    one = Ear(port, password=password)
    try:
        yield one
    finally:
        one.close()
