"""A child that gives up what it does not need, then tries to have it all the same, and tells what came of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from service.confine import Limits, confine
from service.wire import Message, Wire


def _many_files() -> None:
    opened = []
    for _ in range(100):
        opened.append(open("/dev/null", "rb"))  # noqa: SIM115


def _thread() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


TRIED: dict[str, Callable[[], object]] = {
    "socket": socket.socket,
    "program": lambda: subprocess.run(["true"]),
    "fork": os.fork,
    "kill": lambda: os.kill(os.getppid(), 0),
    "memory": lambda: bytearray(200 << 20),
    "file": lambda: Path("big").write_bytes(bytes(4096)),
    "files": _many_files,
    "little memory": lambda: bytearray(20 << 20),
    "thread": _thread,
    "environment": lambda: os.environ["FRAMEWATCH_SECRET"],
}


def main() -> None:
    wire = Wire.adopt(int(sys.argv[1]))
    confine(Limits(100 << 20, file_bytes=1024, network="network" in (wire.receive() or Message("", {})).head))
    results = {}
    for name, attempt in TRIED.items():
        try:
            attempt()
            results[name] = ""
        except Exception as error:
            results[name] = type(error).__name__
    wire.send(Message("results", results))


if __name__ == "__main__":
    main()
