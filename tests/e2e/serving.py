"""A service on a real socket, with a small model of random weights; for the tests of the whole."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from websockets.sync.client import ClientConnection

from service.app import create_app
from service.commands.serve import DrainingServer, server_config
from service.monitor import Monitor
from service.settings import Settings
from tests.service.command_line import write_checkpoint


@dataclass(frozen=True)
class Served:
    """A running service.

    Attributes:
        url: with http.
        monitor: what runs behind it.
        server: uvicorn's.
    """

    url: str
    monitor: Monitor
    server: uvicorn.Server

    @property
    def ws(self) -> str:
        """The URL with ws."""
        return self.url.replace("http", "ws", 1)


@contextmanager
def served(folder: Path, **changes: Any) -> Iterator[Served]:
    """Serves a data folder with the model `door` on a free port of this machine, until the block ends."""
    models = folder / "models"
    if not models.exists():
        models.mkdir(parents=True)
        write_checkpoint(models / "door.safetensors")
    settings = Settings(
        **{
            "data_dir": folder,
            "port": 0,
            "model": "door",
            "device": "cpu",
            "precision": "float32",
            "min_free_disk_bytes": 0,
            "drain_seconds": 2.0,
            **changes,
        }
    )
    app = create_app(settings)
    monitor: Monitor = app.state.monitor
    server = DrainingServer(server_config(app, settings), monitor)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(server.run_monitored())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="served")
    thread.start()
    try:
        while not server.started:
            thread.join(0.02)
            if failed:
                raise failed[0]
            assert thread.is_alive(), "the server ended while it started"
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(f"http://127.0.0.1:{port}", monitor, server)
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive(), "the server does not end"


def vanish(end: ClientConnection) -> None:
    """The client is gone without a goodbye, as one that was killed."""
    end.socket.shutdown(socket.SHUT_RDWR)
