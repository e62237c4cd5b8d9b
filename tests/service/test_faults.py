"""Which exception ends the command how."""

from __future__ import annotations

import errno
from importlib import import_module

import pytest
import torch

from model.checkpoint import CheckpointError
from model.device import DeviceError
from model.frames import PictureSizeError
from service import faults
from service.faults import InputError, explain
from training.demo_folder import DemoError
from training.fit import ResumeError
from training.label_matching import LabelError
from training.settings import TrainError


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InputError("say what to do"), 1, "say what to do"),
        (CheckpointError("m.safetensors is none"), 1, "m.safetensors is none"),
        (DeviceError("no GPU"), 1, "no GPU"),
        (PictureSizeError("4x4"), 1, "4x4"),
        (TrainError("too little"), 1, "too little"),
        (ResumeError("other settings"), 1, "other settings"),
        (LabelError("no labels"), 1, "no labels"),
        (DemoError("not mine"), 1, "not mine"),
        (OSError(errno.ENOSPC, "No space left on device", "scores.csv"), 1, "scores.csv: No space left on device"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied"), 1, "Permission denied (FRAMEWATCH_DEBUG=1 shows where)"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (KeyboardInterrupt("scores.csv was not written"), 130, "interrupted; scores.csv was not written"),
    ],
)
def test_exit_code_and_message(error: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAMEWATCH_DEBUG", raising=False)
    assert explain(error) == (code, message)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_a_lack_of_memory_is_no_bug_and_says_what_helps(error: BaseException) -> None:
    code, message = explain(error)
    assert code == faults.INPUT
    assert message.startswith("out of memory: close other programs")


@pytest.mark.parametrize("error", [ValueError("odd"), RuntimeError("sizes differ"), AssertionError(), OSError("odd")])
def test_anything_else_is_a_bug(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAMEWATCH_DEBUG", raising=False)
    code, message = explain(error)
    assert code == faults.BUG
    assert message.startswith(f"{type(error).__name__}: {error or 'no message'}")
    assert "please report it; FRAMEWATCH_DEBUG=1 shows where" in message


def test_a_long_message_of_a_bug_is_cut_to_one_line() -> None:
    _, message = explain(ValueError("many\nlines " * 200))
    assert "\n" not in message
    assert len(message) < 450


@pytest.mark.parametrize("value", ["", "0"])
def test_debugging_is_off_by_default(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWATCH_DEBUG", value)
    assert "Traceback" not in explain(ValueError("odd"))[1]


def test_debugging_shows_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWATCH_DEBUG", "1")
    try:
        raise InputError("say what to do")
    except InputError as error:
        code, message = explain(error)
    assert code == faults.INPUT
    assert message.startswith("say what to do\nTraceback")
    assert "test_faults.py" in message


@pytest.mark.parametrize("name", sorted(faults.INPUT_ERRORS))
def test_every_listed_error_exists(name: str) -> None:
    module, _, kind = name.rpartition(".")
    assert issubclass(getattr(import_module(module), kind), Exception)


def test_exit_codes_are_told_apart() -> None:
    codes = [faults.OK, faults.INPUT, faults.USAGE, faults.BUG, faults.INTERRUPTED, faults.TERMINATED, faults.PIPE]
    assert len(set(codes)) == len(codes)
