"""`framewatch serve` as a process of its own, with keys, that can be stopped and started again at the same address."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2

from model.checkpoint import bundled
from service.client import Client
from tests.conftest import ROOT

CLIP_BEFORE, CLIP_AFTER = 2.0, 1.0
"""Seconds that a clip shows before and after its event."""

START = 120.0
"""Seconds that a start may take on a slow machine."""


class Process:
    """The service.

    Attributes:
        url: where it is.
        models: its model folder.
    """

    def __init__(self, folder: Path) -> None:
        """Starts it on a folder and a free port."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.models = folder / "models"
        self._folder = folder
        self._running: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def key(self) -> str:
        """Of the first start."""
        return (self._folder / "admin.key").read_text(encoding="ascii").strip()

    def client(self) -> Client:
        """What a program uses to look at it."""
        return Client(self.url, key=self.key, timeout=60)

    def start(self) -> None:
        options = ["--port", str(self._port), "--data-dir", str(self._folder), "--auth", "on", "--device", "cpu"]
        options += ["--model", str(bundled()), "--camera-network", "127.0.0.0/8", "--drain-seconds", "1"]
        options += ["--clip-before-s", str(CLIP_BEFORE), "--clip-after-s", str(CLIP_AFTER)]
        options += ["--webhook-network", "127.0.0.0/8"]
        command = [sys.executable, "-m", "service.cli", "serve", *options, "--min-free-disk-bytes", "0"]
        with (self._folder / "log").open("ab") as log:
            self._running = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)}
            )
        until = time.monotonic() + START
        while time.monotonic() < until and self._running.poll() is None:
            try:
                if httpx2.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx2.HTTPError:
                time.sleep(0.2)
        self.stop()
        raise AssertionError(f"the service has not started: {(self._folder / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        if self._running is not None:
            self._running.send_signal(signal.SIGTERM)
            try:
                self._running.wait(30)
            except subprocess.TimeoutExpired:
                self._running.kill()
                self._running.wait(30)
            self._running = None
