"""A service in a process of its own, as `framewatch serve` runs it, and what it and its children take up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx2

from service.client import Client

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a process, or several together, take up.

    Attributes:
        rss: bytes of memory, shared ones too.
        pss: bytes of memory, what is shared divided by those who share it.
        threads: how many.
        descriptors: that are open.
        databases: of these, those of SQLite's files: it keeps connections for the next query.
    """

    rss: int
    pss: int
    threads: int
    descriptors: int
    databases: int = 0

    def __add__(self, other: Vitals) -> Vitals:
        return Vitals(
            self.rss + other.rss,
            self.pss + other.pss,
            self.threads + other.threads,
            self.descriptors + other.descriptors,
            self.databases + other.databases,
        )


class Running:
    """`framewatch serve` on a free port of this machine."""

    def __init__(self, folder: Path, *, model: Path | None, flags: Sequence[object] = (), log: Path | None = None):
        """Starts it; `wait` says when it is ready.

        Args:
            folder: its data folder; made if it is not there.
            model: checkpoint; None: the one that was active before.
            flags: more of the command line.
            log: file that its log goes to; None: `serve.log` in the data folder.
        """
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--data-dir", str(folder)]
        command += [] if model is None else ["--model", str(model)]
        command += map(str, flags)
        self.log = log or folder / "serve.log"
        self._from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
        self.url = ""

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def said(self) -> str:
        """Its log since this start."""
        with self.log.open("rb") as file:
            file.seek(self._from)
            return file.read().decode(errors="replace")

    def wait(self, seconds: float = 240.0, *, ready: bool = True) -> Self:
        """Returns when it is ready, or, without a model that it could be ready with, when it answers.

        Raises:
            RuntimeError: it ended, or is not ready in that time; with what it said.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError(f"the service ended with {self.process.returncode}:\n{self.said}")
            if not self.url and "serving on http" in (said := self.said):
                self.url = said.split("serving on ")[1].split(",")[0]
            if self.url:
                with suppress(httpx2.TransportError), Client(self.url, timeout=60) as client:
                    if not client.ready() or not ready:
                        return self
            time.sleep(0.05)
        raise RuntimeError(f"the service is not ready after {seconds:g} seconds:\n{self.said}")

    def kill(self) -> None:
        """SIGKILL: it has no time to put anything in order."""
        self.process.kill()
        self.process.wait()

    def stop(self, seconds: float = 60.0) -> int:
        """SIGTERM; gives its exit code.

        Raises:
            subprocess.TimeoutExpired: it does not end.
        """
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def vitals(self) -> Vitals:
        """Of its own process."""
        return vitals_of(self.pid)

    def children(self) -> list[int]:
        """Its children, and theirs."""
        return descendants(self.pid)

    def vitals_of_children(self) -> Vitals:
        total = Vitals(0, 0, 0, 0)
        for pid in self.children():
            with suppress(OSError):  # it has just ended
                total += vitals_of(pid)
        return total

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()


def vitals_of(pid: int) -> Vitals:
    """What a process takes up.

    Raises:
        OSError: it has ended.
    """
    process = Path("/proc") / str(pid)
    memory = _kilobytes(process / "smaps_rollup", ("Rss", "Pss"))
    threads = next(
        int(line.split()[1]) for line in (process / "status").read_text().splitlines() if line.startswith("Threads")
    )
    opened = _opened(process / "fd")
    return Vitals(memory["Rss"], memory["Pss"], threads, len(opened), sum(".sqlite3" in one for one in opened))


def descendants(pid: int) -> list[int]:
    """The children of a process, and theirs."""
    parents: dict[int, int] = {}
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with suppress(OSError):  # it has just ended
                parents[int(process.name)] = int(_stat(int(process.name))[1])
    found, at = [pid], 0
    while at < len(found):
        found += [child for child, parent in parents.items() if parent == found[at]]
        at += 1
    return found[1:]


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used, its threads together.

    Raises:
        OSError: it has ended.
    """
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _kilobytes(path: Path, names: Sequence[str]) -> dict[str, int]:
    pairs = (line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    return {name: int(value.split()[0]) * 1024 for name, value in pairs if name in names}


def _opened(folder: Path) -> list[str]:
    """What each descriptor is of."""
    found = []
    for name in os.listdir(folder):
        try:
            found.append(os.readlink(folder / name))
        except FileNotFoundError:  # closed meanwhile
            continue
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name, which may hold anything: state, parent and so on."""
    return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
