"""Child processes of the service: spawned, with a wire to them, without the service's secrets, and reaped."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final, Self

from service.wire import Wire

_KEPT: Final = frozenset(
    ["PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"]
)
_LEAN: Final = {
    "MALLOC_ARENA_MAX": "2",  # an arena reserves 64 MiB of address space for every thread
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENCV_LOG_LEVEL": "OFF",
}
_PATIENCE: Final = 5.0
_DEAF: Final = 10
"""Seconds after which a message to a child that does not listen is an error."""


class Child:
    """A child process that runs one of the service's modules, and the wire to it.

    It gets nothing of the service but the module's name and one end of the wire: no other descriptor, no settings, no
    environment but what Python needs; what it must know it is told over the wire.

    Attributes:
        wire: the service's end.
        pid: its process id.
    """

    def __init__(self, module: str, *, folder: Path | None = None) -> None:
        """Starts the child.

        Args:
            module: run with the number of its end of the wire as only argument.
            folder: its working and temporary folder.

        Raises:
            OSError: no process or descriptor is left for it.
        """
        environment = {name: os.environ[name] for name in _KEPT & os.environ.keys()} | _LEAN
        environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
        if folder is not None:
            environment["TMPDIR"] = str(folder)
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _DEAF, 0))
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                    [sys.executable, "-m", module, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                    cwd=folder,
                    start_new_session=True,  # Ctrl-C is for the service, which drains first
                )
        except BaseException:
            ours.close()
            raise
        self.wire = Wire(ours)

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        self._process.send_signal(number)

    def stop(self) -> None:
        """Close the wire, on which it ends by itself; kill it where it does not within a few seconds; reap it."""
        self.wire.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self, patience: float = _PATIENCE) -> None:
        """Kill it, whatever it does, reap it and close the wire.

        Args:
            patience: seconds that it may take to be gone.
        """
        self._process.kill()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:  # the machine is busy, or it waits for a dead disk and cannot even be killed
            threading.Thread(target=self._process.wait, name="framewatch-reaper", daemon=True).start()
        self.wire.close()

    def ending(self) -> str:
        """How it ended: `killed by SIGSEGV`, `ended with code 3`; waits for the end a moment."""
        try:
            code = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            return "does not end"
        if code >= 0:
            return f"ended with code {code}"
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
