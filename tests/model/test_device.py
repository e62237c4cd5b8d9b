"""The device and the number format: chosen by what is there, refused with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model import device
from model.device import DeviceError, choose_device, choose_precision

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with two CUDA devices, as far as choosing one goes."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    return monkeypatch


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


def test_auto_takes_a_gpu_where_there_is_one(gpus: object) -> None:
    assert choose_device() == CUDA


def test_auto_takes_the_cpu_otherwise(no_gpu: None) -> None:
    assert choose_device("auto") == CPU


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:0", "cuda:1"])
def test_device_that_is_there_is_taken(name: str, gpus: object) -> None:
    assert choose_device(name) == torch.device(name)


@pytest.mark.parametrize("name", ["cuda:2", "cuda:17"])
def test_gpu_beyond_the_last_one_is_refused_with_their_number(name: str, gpus: object) -> None:
    with pytest.raises(DeviceError, match=f"device '{name}' is not there: torch .* sees 2 CUDA devices"):
        choose_device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_gpu_on_a_machine_without_one_is_refused_with_what_to_do(name: str, no_gpu: None) -> None:
    with pytest.raises(DeviceError, match=f"device '{name}' is not there: .*sees 0 CUDA devices.*cpu or auto"):
        choose_device(name)


@pytest.mark.parametrize("name", ["", "gpu", "CPU:", "cuda:", "cuda:x", "cuda:-1", "cuda:999999999999", "mps", "meta"])
def test_anything_else_is_refused_with_the_accepted_names(name: str, gpus: object) -> None:
    with pytest.raises(DeviceError, match="expected auto, cpu, cuda or cuda:N"):
        choose_device(name)


@pytest.mark.parametrize(
    ("name", "where", "precision"),
    [
        ("auto", CUDA, "float16"),
        ("float32", CPU, "float32"),
        ("float32", CUDA, "float32"),
        ("bfloat16", CPU, "bfloat16"),
        ("bfloat16", CUDA, "bfloat16"),
        ("float16", CUDA, "float16"),
    ],
)
def test_precision_is_what_was_asked_for(name: str, where: torch.device, precision: str) -> None:
    assert choose_precision(name, where) == choose_precision(name, where, learning=True) == precision


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ("fpu avx2 avx512f", "float32"),
        ("fpu avx512_bf16 avx2", "bfloat16"),
        ("fpu amx_tile amx_bf16", "bfloat16"),
        (None, "float32"),
    ],
)
def test_auto_on_a_cpu_is_half_precision_where_the_processor_computes_in_it(
    flags: str | None, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "cpuinfo"
    if flags is not None:
        info.write_text(f"processor : 0\nflags : {flags}\n")
    monkeypatch.setattr(device, "_CPU_INFO", info)
    assert choose_precision("auto", CPU) == precision
    assert choose_precision("auto", CPU, learning=True) == "float32"


@pytest.mark.parametrize(("name", "where"), [("float16", CPU), ("", CPU), ("double", CUDA), ("bf16", CPU)])
def test_precision_that_is_not_there_is_refused(name: str, where: torch.device) -> None:
    with pytest.raises(DeviceError, match=f"precision '{name}' on {where.type}: expected auto, float32, bfloat16"):
        choose_precision(name, where)
