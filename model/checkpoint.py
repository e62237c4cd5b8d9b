"""One `.safetensors` file from which the whole detector is rebuilt; never pickle."""

from __future__ import annotations

import dataclasses
import json
import types
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import safetensors
import safetensors.torch
import torch

from model import __version__
from model.atomic import atomic_path
from model.detector import Calibration, Detector, DetectorConfig
from model.frames import Geometry

FORMAT = 1
MAX_BYTES = 512 * 2**20
_KEY = "framewatch"
T = TypeVar("T")


class CheckpointError(Exception):
    """A checkpoint that cannot be used; the message says which file, what is wrong, and what to do."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a checkpoint comes from.

    Attributes:
        command: the training command.
        created: RFC 3339, UTC.
        versions: of framewatch and torch.
        training: what it was learned from and how well: the training report.
    """

    command: str
    created: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    versions: dict[str, str] = field(default_factory=lambda: {"framewatch": __version__, "torch": torch.__version__})
    training: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A detector with what is known about it."""

    detector: Detector
    calibration: Calibration
    provenance: Provenance


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint whole: to a temporary name, then renamed.

    Raises:
        CheckpointError: the folder is missing or cannot be written.
    """
    detector = checkpoint.detector
    tensors = {name: value.detach().float() for name, value in detector.state_dict().items() if name != "reference"}
    tensors["reference"] = detector.reference
    tensors = {name: value.cpu().contiguous() for name, value in tensors.items()}
    document = {
        "format": FORMAT,
        "config": dataclasses.asdict(detector.config),
        "calibration": dataclasses.asdict(checkpoint.calibration),
        "provenance": dataclasses.asdict(checkpoint.provenance),
    }
    try:
        with atomic_path(path) as temporary:
            safetensors.torch.save_file(tensors, temporary, metadata={_KEY: json.dumps(document, allow_nan=False)})
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"cannot write {path}: {error}") from error


def load(path: Path, *, device: torch.device | str = "cpu") -> Checkpoint:
    """Rebuilds a detector, in float32, from its file alone.

    Raises:
        CheckpointError: not a framewatch checkpoint, another version, or tampered with (missing or extra tensors,
            wrong shapes, values that are not finite).
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    if not path.is_file():
        raise CheckpointError(f"{path} is no file: give a .safetensors checkpoint made by `framewatch train`")
    if size > MAX_BYTES:
        raise CheckpointError(f"{path} has {size / 2**20:.0f} MiB: a checkpoint has at most {MAX_BYTES // 2**20}")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, safetensors.SafetensorError, ValueError) as error:
        raise CheckpointError(
            f"{path} is no safetensors file, or damaged ({error}): give a checkpoint made by `framewatch train`"
        ) from error
    if _KEY not in metadata:
        raise CheckpointError(f"{path} is a safetensors file, but no framewatch checkpoint: make one by `framewatch train`")
    try:
        document = json.loads(metadata[_KEY])
    except ValueError as error:
        raise CheckpointError(f"{path}: its description is damaged ({error})") from error
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        raise CheckpointError(
            f"{path} has checkpoint format {found!r}, this framewatch ({__version__}) reads {FORMAT}: "
            "train it again, or install the framewatch that wrote it"
        )
    try:
        config = _build(DetectorConfig, document["config"])
        calibration = _build(Calibration, document["calibration"])
        provenance = _build(Provenance, document["provenance"])
        _check_size(config, sum(value.numel() for value in tensors.values()))
        detector = Detector(config)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: its description does not fit ({error})") from error
    _fill(path, detector, tensors)
    if not (calibration.theta > 0 and abs(float(detector.theta) / calibration.theta - 1) < 1e-5):
        raise CheckpointError(f"{path}: its threshold {calibration.theta!r} is not the stored {float(detector.theta)!r}")
    return Checkpoint(detector.to(device), calibration, provenance)


def _fill(path: Path, detector: Detector, tensors: dict[str, torch.Tensor]) -> None:
    expected = detector.state_dict()
    missing, extra = expected.keys() - tensors.keys(), tensors.keys() - expected.keys()
    if missing or extra:
        parts = [f"{what} {', '.join(sorted(names)[:5])}" for what, names in (("lacks", missing), ("has", extra)) if names]
        raise CheckpointError(f"{path}: its tensors do not fit its description: it {' and '.join(parts)}")
    for name, wanted in expected.items():
        value = tensors[name]
        if value.shape != wanted.shape or value.dtype != wanted.dtype:
            raise CheckpointError(
                f"{path}: tensor {name} is {value.dtype} {tuple(value.shape)}, expected {wanted.dtype} {tuple(wanted.shape)}"
            )
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise CheckpointError(f"{path}: tensor {name} holds values that are not finite")
    detector.load_state_dict(tensors)


def _check_size(config: DetectorConfig, stored: int) -> None:
    """Refuses a description of a far larger network than the file holds, before memory is taken for it."""
    height, width = config.geometry.input
    channels = height * width * (3 if config.colour else 1) if config.encoder == "pixels" else config.components
    declared = 4 * config.hidden * (channels + 2 * config.hidden)
    if declared > 2 * stored + 2**20 or height * width > 2**25:
        raise ValueError(f"it describes about {declared} values, the file holds {stored}")


def _build(kind: type[T], values: object) -> T:
    """A frozen dataclass from JSON: every key known, every value of its type."""
    if not isinstance(values, dict):
        raise TypeError(f"{kind.__name__} is {type(values).__name__}, expected an object")
    hints = get_type_hints(kind)
    unknown = values.keys() - hints.keys()
    if unknown:
        raise ValueError(f"{kind.__name__} has unknown {', '.join(sorted(unknown))}")
    return kind(**{name: _value(f"{kind.__name__}.{name}", hints[name], value) for name, value in values.items()})


def _value(name: str, hint: Any, value: object) -> object:
    origin = get_origin(hint)
    if hint is Geometry:
        return _build(Geometry, value)
    if origin is tuple:
        if isinstance(value, list) and len(value) == len(get_args(hint)):
            return tuple(_value(name, kind, item) for kind, item in zip(get_args(hint), value, strict=True))
    elif origin is dict:
        if isinstance(value, dict):
            return value
    elif isinstance(hint, types.UnionType):
        raise TypeError(f"{name}: no unions in a checkpoint")
    elif get_args(hint):  # Literal
        if value in get_args(hint):
            return value
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif isinstance(value, hint) and isinstance(value, bool) == (hint is bool):
        return value
    raise TypeError(f"{name} is {value!r}")
