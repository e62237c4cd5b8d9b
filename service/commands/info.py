"""`framewatch info`: what a checkpoint is, and what this installation is."""

from __future__ import annotations

import json
import platform
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import av
import cv2
import torch

from model import __version__
from model.checkpoint import Checkpoint, load
from model.detector import Calibration, Detector
from model.device import choose_device, choose_precision
from service.commands.summary import counted

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # a checkpoint from elsewhere must not steer the terminal
_TOLD_ABOVE = frozenset(["calibration", "sufficient_footage"])


def run(model: Path | None, *, as_json: bool) -> None:
    """Prints the description of a checkpoint, or of the installation.

    Raises:
        CheckpointError: with a message for the user.
    """
    if model is None:
        document, text = installation(), installation_text()
    else:
        checkpoint = load(model)
        document, text = describe(model, checkpoint), describe_text(model, checkpoint)
    print(json.dumps(document, indent=2, allow_nan=False) if as_json else text)


def installation() -> dict[str, Any]:
    """Versions and devices."""
    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    device = choose_device("auto")
    return {
        "framewatch": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "opencv": cv2.__version__,
        "av": av.__version__,
        "ffmpeg": av.ffmpeg_version_info,
        "libraries": {name: ".".join(map(str, version)) for name, version in av.library_versions.items()},
        "platform": platform.platform(),
        "cpu": {
            "threads": torch.get_num_threads(),
            "bfloat16": choose_precision("auto", torch.device("cpu")) == "bfloat16",
        },
        "cuda": devices,
        "device": str(device),
        "precision": choose_precision("auto", device),
    }


def installation_text() -> str:
    """The same for a person."""
    facts = installation()
    fast = "computes in bfloat16" if facts["cpu"]["bfloat16"] else "no bfloat16: float32 is used"
    return _table(
        [
            ("framewatch", facts["framewatch"]),
            ("Python", f"{facts['python']} on {facts['platform']}"),
            ("torch", facts["torch"]),
            ("OpenCV", facts["opencv"]),
            ("FFmpeg", f"{facts['ffmpeg']} (PyAV {facts['av']})"),
            ("CPU", f"{facts['cpu']['threads']} threads, {fast}"),
            ("CUDA", ", ".join(facts["cuda"]) or "no device"),
            ("auto means", f"--device {facts['device']} --precision {facts['precision']}"),
        ]
    )


def describe(path: Path, checkpoint: Checkpoint) -> dict[str, Any]:
    """Everything a checkpoint says about itself."""
    config = checkpoint.detector.config
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "parameters": _parameters(checkpoint.detector),
        "cells": checkpoint.detector.encoder.cells.count,
        "config": asdict(config),
        "calibration": {**asdict(checkpoint.calibration), "sufficient": checkpoint.calibration.sufficient},
        "provenance": asdict(checkpoint.provenance),
        "holds_picture": True,
    }


def describe_text(path: Path, checkpoint: Checkpoint) -> str:
    """The same for a person."""
    detector, provenance = checkpoint.detector, checkpoint.provenance
    config, geometry = detector.config, detector.config.geometry
    seen = {
        "stem": f"EfficientNet-Lite0 stem, {detector.encoder.cells.count} cells of {config.cell} pixels, "
        f"{config.components} components",
        "pixels": "raw pixels of the whole frame (the project's seed)",
    }[config.encoder]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(provenance.versions.items()))
    table = _table(
        [
            ("checkpoint", f"{path} ({path.stat().st_size / 2**20:.1f} MiB)"),
            ("encoder", seen),
            (
                "autoencoder",
                f"{config.members} LSTM, hidden {config.hidden}, latent {config.latent}, "
                f"{_parameters(detector)} parameters",
            ),
            (
                "input",
                f"{_size(geometry.input)} {'colour' if config.colour else 'gray'}, "
                f"from pictures of {_size(geometry.source)} (aspect within 3 %)",
            ),
            (
                "window",
                f"{config.window} frames, one every {config.frame_interval:.4g} s "
                f"({1 / config.frame_interval:.4g} a second)",
            ),
            (
                "smoothing",
                f"mean of the last {config.smoothing:g} s; an alarm lasts {config.minimum:g} s at least"
                if config.smoothing
                else f"none; an alarm lasts {config.minimum:g} s at least",
            ),
            ("threshold", _threshold(checkpoint.calibration)),
            ("trained", f"{provenance.created} by {versions}"),
            ("command", provenance.command or "not recorded"),
            ("holds", "one small picture of the scene (36×64, gray): who has the file can look at it"),
        ]
    )
    told = {name: value for name, value in provenance.training.items() if name not in _TOLD_ABOVE}
    facts = [f"  {line}" for line in _facts(told)]
    text = "\n".join([table, *(["", "training report:", *facts] if facts else [])])
    return _CONTROL.sub("\ufffd", text)


def _parameters(detector: Detector) -> int:
    return sum(parameter.numel() for parameter in detector.parameters())


def _threshold(calibration: Calibration) -> str:
    how = "carried on beyond the footage by its tail" if calibration.extrapolated else "seen on the footage itself"
    line = (
        f"{calibration.theta:.4g} for {counted(calibration.alarms_per_hour, 'false alarm')} an hour ({how})\n"
        f"rests on {calibration.minutes:.1f} minutes of held-out normal footage: "
        f"{counted(calibration.alarms, 'alarm')}, so at most {calibration.upper_bound:.3g} an hour (95 %, Poisson), "
        f"in {calibration.precision}"
    )
    return line if calibration.sufficient else f"{line}\ninsufficient footage: an hour is the least to judge by"


def _facts(values: dict[str, Any], indent: str = "") -> list[str]:
    """Nested JSON as indented lines, for reports of any shape; long lists by their length."""
    lines: list[str] = []
    for name, value in values.items():
        label = f"{indent}{name.replace('_', ' ')}"
        if isinstance(value, dict):
            lines += [f"{label}:", *_facts(value, indent + "  ")] if value else []
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            lines.append(f"{label}:")
            for item in value:
                lines.append(f"{indent}  - " + ", ".join(f"{k.replace('_', ' ')} {_fact(v)}" for k, v in item.items()))
        else:
            lines.append(f"{label}: {_fact(value)}")
    return lines


def _fact(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(map(_fact, value)) if len(value) <= 20 else f"{len(value)} values"
    return str(value)


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]}×{size[0]}"


def _table(rows: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in rows) + 2
    return "\n".join(f"{name:<{width}}{text}".replace("\n", "\n" + " " * width) for name, text in rows)
