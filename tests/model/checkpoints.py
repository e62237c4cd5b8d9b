"""Checkpoints for tests: a good one, and what was done to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from model.checkpoint import Checkpoint, CheckpointError, Provenance, load
from model.detector import Calibration
from model.encoder import EncoderName
from tests.model.detectors import detector

Document = dict[str, Any]
Tensors = dict[str, Tensor]


def made(encoder: EncoderName = "stem", **changes: Any) -> Checkpoint:
    built = detector(encoder, **changes)
    calibration = Calibration(
        theta=float(built.theta),
        alarms_per_hour=1.0,
        minutes=12.5,
        alarms=0,
        upper_bound=17.7,
        extrapolated=True,
        precision="float32",
    )
    provenance = Provenance("framewatch train footage --out m.safetensors", training={"clips": 3, "auc": None})
    return Checkpoint(built, calibration, provenance)


def contents(path: Path) -> tuple[Tensors, Document]:
    with safetensors.safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["framewatch"])  # noqa: SIM118


def refused(path: Path, why: str) -> None:
    """The file is named, so is the fault, and the message is one that can be read."""
    with pytest.raises(CheckpointError, match=why) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500 + len(str(path))


def bits(module: torch.nn.Module) -> dict[str, bytes]:
    return {name: value.cpu().numpy().tobytes() for name, value in module.state_dict().items()}
