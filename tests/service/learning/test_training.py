"""The process that trains: it can be killed, and says why it failed."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from service.learning.child import EXPENDABLE
from service.learning.records import LearningError
from service.learning.training import NICE, Training


def run(training: Training, folder: Path, nice: int = 0) -> None:
    clips, out = folder / "clips", folder / "out.safetensors"
    training.run(clips, out, nice=nice, threads=1, command="", choices={}, on_progress=print)


def test_footage_that_is_not_there_is_the_reason(tmp_path: Path) -> None:
    with Training(tmp_path) as training, pytest.raises(LearningError, match=r"clips.*not"):
        run(training, tmp_path)


def test_a_process_that_is_killed_says_so(tmp_path: Path) -> None:
    with Training(tmp_path) as training:
        os.kill(training.pid, signal.SIGKILL)
        with pytest.raises(LearningError, match=r"ended too early \(killed by SIGKILL, .*memory\); begin anew"):
            run(training, tmp_path)


def test_a_process_that_is_stopped_says_so(tmp_path: Path) -> None:
    with Training(tmp_path) as training:
        training.stop()
        with pytest.raises(LearningError, match="it was stopped"):
            run(training, tmp_path)


def test_it_steps_back(tmp_path: Path) -> None:
    def work(training: Training) -> None:
        with suppress(LearningError):
            run(training, tmp_path, NICE)

    with Training(tmp_path) as training:
        thread = threading.Thread(target=work, args=(training,))
        thread.start()
        while thread.is_alive() and os.getpriority(os.PRIO_PROCESS, training.pid) < NICE:
            thread.join(0.02)
        assert os.getpriority(os.PRIO_PROCESS, training.pid) == NICE
        expendable = Path(f"/proc/{training.pid}/oom_score_adj")
        while thread.is_alive() and expendable.read_text().strip() != EXPENDABLE:
            thread.join(0.02)
        training.stop()
        thread.join(60)
        assert not thread.is_alive()
