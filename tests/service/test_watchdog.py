"""An engine that hangs: who notices, and how the process ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from service.client import Client, ServiceError
from service.faults import HUNG
from service.watchdog import Watch, watched
from tests.conftest import ROOT
from tests.model.detectors import pictures
from tests.service.command_line import write_checkpoint
from tests.service.live import png

FRAMES = [png(image) for image in pictures(8)]


@pytest.mark.parametrize(
    ("looks", "hangs"),
    [
        ([(1.0, 0.2)] * 20, False),
        ([(1.0, float(at)) for at in range(1, 10)], False),
        ([(1.0, float(at)) for at in range(1, 11)], True),
        ([(1.0, float(at)) for at in range(1, 10)] + [(1.0, 0.5), (1.0, 1.5)], False),
        ([(600.0, 600.2), (1.0, 0.1)], False),  # the whole process was held up: the engine moves as soon as it may
        ([(1.0, 0.0)] * 20, False),
    ],
    ids=["moving", "not yet", "hung", "moved at last", "suspended", "not begun or ended"],
)
def test_an_engine_hangs_when_it_has_not_moved_in_many_looks(looks: Sequence[tuple[float, float]], hangs: bool) -> None:
    ages = [age for _, age in looks]
    watch = Watch(lambda: ages.pop(0), 10.0)
    assert [watch.look(passed) for passed, _ in looks][-1] is hangs


def test_a_watch_ends_what_hangs_and_nothing_after_it_is_over() -> None:
    ended = threading.Event()
    with watched(lambda: 5.0, 1.0, lambda seconds: ended.set()):
        assert ended.wait(120)
    ended.clear()
    with watched(lambda: 5.0, 0.0, lambda seconds: ended.set()):
        assert not any(thread.name == "framewatch-watchdog" for thread in threading.enumerate())
    assert not ended.is_set()


def test_a_process_that_runs_no_python_any_more_ends_too() -> None:
    code = (
        "import ctypes, threading, time\n"
        "from service import watchdog\n"
        "watchdog._BEYOND = 0.0\n"
        "with watchdog.watched(lambda: 0.0, 1.0):\n"
        "    time.sleep(1.5)\n"
        "    ctypes.PyDLL(None).pause()\n"  # a PyDLL keeps the interpreter's lock
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert b"Timeout" in ended.stderr and b'File "<string>", line 6' in ended.stderr


def test_a_service_whose_engine_hangs_says_where_and_ends_with_a_code_of_its_own(tmp_path: Path) -> None:
    model = write_checkpoint(tmp_path / "door.safetensors")
    command = [sys.executable, "-m", "tests.service.hanging", "serve", "--port", "0", "--device", "cpu"]
    command += ["--data-dir", str(tmp_path / "data"), "--model", str(model), "--min-free-disk-bytes", "0"]
    command += ["--engine-hang-seconds", "4"]
    log = tmp_path / "log"
    with log.open("wb") as file:
        running = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
    try:
        url = _url(running, log)
        with Client(url, timeout=60) as client:
            client.create_stream(id="gate")
            with suppress(ServiceError, OSError), client.ingest("gate") as sender:  # it ends under the client
                for number in range(2000):
                    sender.send(FRAMES[number % len(FRAMES)])
                    time.sleep(0.02)
        assert running.wait(60) == HUNG
    finally:
        running.kill()
        running.wait()
    said = log.read_text()
    assert "CRITICAL" in said and "the engine has not moved for" in said
    assert "hanging.py" in said and "in _hang" in said  # where it hangs


def _url(running: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + 120
    while running.poll() is None and time.monotonic() < until:
        if "serving on " in (said := log.read_text()):
            return said.split("serving on ")[1].split(",")[0]
        time.sleep(0.1)
    raise AssertionError(log.read_text())
