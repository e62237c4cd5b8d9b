"""A confined child can use what it needs and nothing else."""

from __future__ import annotations

import os
import platform
import signal
import threading
from pathlib import Path

import pytest

from service.children import Child
from service.wire import Message


def results(tmp_path: Path, **order: object) -> dict[str, object]:
    with Child("tests.service.confined", folder=tmp_path) as child:
        child.wire.send(Message("go", order))
        found = child.wire.receive(60)
        assert found is not None
        return found.head


@pytest.mark.skipif(platform.system() != "Linux", reason="the kernel filters no system calls")
def test_a_confined_child_has_what_it_needs_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWATCH_SECRET", "hunter2")
    assert results(tmp_path) == {
        "socket": "PermissionError",
        "program": "PermissionError",
        "fork": "PermissionError",
        "kill": "PermissionError",
        "memory": "MemoryError",
        "file": "OSError",
        "files": "OSError",
        "little memory": "",
        "thread": "",
        "environment": "KeyError",
    }


def test_a_child_with_network_may_open_sockets_and_no_programs(tmp_path: Path) -> None:
    found = results(tmp_path, network=True)
    assert found["socket"] == "" and found["program"] == "PermissionError"


def test_a_child_ends_when_its_wire_is_closed(tmp_path: Path) -> None:
    child = Child("tests.service.confined", folder=tmp_path)
    child.stop()
    assert not Path(f"/proc/{child.pid}").exists()


def test_a_stopped_child_is_killed(tmp_path: Path) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    child = Child("tests.service.confined", folder=tmp_path)
    child.signal(signal.SIGSTOP)
    child.kill()
    assert child.ending() == "killed by SIGKILL"
    assert not Path(f"/proc/{child.pid}").exists() and len(os.listdir("/proc/self/fd")) <= descriptors


def test_a_child_that_does_not_listen_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.children._DEAF", 1)
    with Child("tests.service.confined", folder=tmp_path) as child:
        child.signal(signal.SIGSTOP)
        with pytest.raises(BlockingIOError):
            child.wire.send(Message("x", {}, bytes(10 << 20)))


def test_a_child_that_takes_long_to_be_gone_is_reaped_all_the_same(tmp_path: Path) -> None:
    child = Child("tests.service.confined", folder=tmp_path)
    child.kill(patience=0.0)
    for thread in threading.enumerate():
        if thread.name == "framewatch-reaper":
            thread.join(60)
    assert child.ending() == "killed by SIGKILL"
