"""Cameras that cannot be opened, again and again: whether anything is left behind each time.

python -m bench.failed_opens --count 1000
"""

from __future__ import annotations

import argparse
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from service.readers.protocol import Vitals
from service.readers.supervisor import Readers
from service.records import Health, IncomingFrame

WARM = 0.2  # of the tries: what is loaded once is loaded by then


@dataclass(frozen=True)
class FastSettings:
    """Settings under which a try takes no time."""

    open_timeout_s: float = 0.1
    read_timeout_s: float = 0.1
    stalled_after_s: float = 1.0
    identical_after_s: float = 60.0
    camera_networks: tuple[str, ...] = ("127.0.0.0/8",)
    sources: dict[str, str | int | Path] = field(default_factory=dict)
    max_frame_bytes: int = 1 << 20
    max_pixels: int = 1 << 20


@dataclass(frozen=True)
class Growth:
    """What more there is after the tries than after the first fifth of them.

    Attributes:
        tries: how often a camera was opened.
        child: bytes, descriptors and threads of the reading child.
        parent: of this process.
    """

    tries: int
    child: tuple[int, int, int]
    parent: tuple[int, int, int]


def fail_opens(count: int, *, seconds: float = 600.0) -> Growth:
    """Have cameras of every failing kind opened so often in all.

    Raises:
        TimeoutError: it took longer than `seconds`.
        RuntimeError: the child was lost in between.
    """
    with ExitStack() as opened:
        servers = [opened.enter_context(_Server(answer)) for answer in _ANSWERS]
        readers = opened.enter_context(
            Readers(
                FastSettings(),
                _no_frame,
                _ignore,
                sources_per_child=100,
                silence=60.0,
                first_wait=0.01,
                longest_wait=0.02,
            )
        )
        for at, server in enumerate(servers):
            for scheme in ("http", "https", "rtsp", "rtsps"):
                readers.add(f"{scheme}-{at}", f"{scheme}://127.0.0.1:{server.port}/live")
        warm = _wait_for(readers, round(WARM * count), seconds)
        before = _of_this_process()
        end = _wait_for(readers, count, seconds)
        after = _of_this_process()
    child = (end.rss - warm.rss, end.descriptors - warm.descriptors, end.threads - warm.threads)
    parent = (after[0] - before[0], after[1] - before[1], after[2] - before[2])
    return Growth(end.tries, child, parent)


def _wait_for(readers: Readers, tries: int, seconds: float) -> Vitals:
    until = time.monotonic() + seconds
    pid = None
    while time.monotonic() < until:
        for facts in readers.facts():
            if pid is not None and facts.pid != pid:
                raise RuntimeError("the reading child was lost")
            pid = facts.pid or pid
            if facts.vitals is not None and facts.vitals.tries >= tries:
                return facts.vitals
        time.sleep(0.1)
    raise TimeoutError(f"fewer than {tries} tries in {seconds:g} seconds")


def _of_this_process() -> tuple[int, int, int]:
    rss = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return rss, len(os.listdir("/proc/self/fd")), threading.active_count()


def _no_frame(stream: str, frame: IncomingFrame) -> bool:
    raise AssertionError("a camera that fails gave a frame")


def _ignore(stream: str, health: Health, reason: str, error_class: str) -> None:
    return


class _Server:
    """Does the same with everyone who connects; with `answer` None there is nobody at its port."""

    def __init__(self, answer: Callable[[socket.socket], None] | None) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> _Server:
        if self._answer is None:
            self._socket.close()
        else:
            threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        assert self._answer is not None
        with suppress(OSError):
            while True:
                end, _ = self._socket.accept()
                with suppress(OSError), end:
                    end.settimeout(0.05)
                    self._answer(end)


def _hang_up(end: socket.socket) -> None:
    return


def _be_silent(end: socket.socket) -> None:
    while end.recv(65536):
        continue


def _be_busy(end: socket.socket) -> None:
    protocol = b"RTSP/1.0" if b"RTSP/1.0" in end.recv(65536) else b"HTTP/1.1"
    end.sendall(protocol + b" 503 Service Unavailable\r\nCSeq: 1\r\n\r\n")


def _talk_nonsense(end: socket.socket) -> None:
    end.sendall(os.urandom(1000) + b"\r\n\r\n")


_ANSWERS = (None, _hang_up, _be_silent, _be_busy, _talk_nonsense)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, metavar="N", help="how often a camera is opened")
    count = parser.parse_args().count
    started = time.monotonic()
    growth = fail_opens(count)
    print(
        f"{growth.tries} failed opens in {time.monotonic() - started:.0f} s; more than after the first fifth of them:"
    )
    for name, (rss, descriptors, threads) in (("child", growth.child), ("parent", growth.parent)):
        print(f"  {name:7} {rss / 1e6:+.2f} MB, {descriptors:+d} descriptors, {threads:+d} threads")


if __name__ == "__main__":
    main()
