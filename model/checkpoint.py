"""One `.safetensors` file from which the whole detector is rebuilt; never pickle."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import safetensors
import safetensors.torch
import torch

from model import __version__
from model.atomic import atomic_path
from model.detector import Calibration, Detector, DetectorConfig
from model.frames import Geometry
from model.listing import listed

FORMAT = 1
MAX_BYTES = 512 * 2**20
MAX_DESCRIPTION = 2**20
_SHOWN = 5
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


def bundled() -> Path:
    """The checkpoint of the drawn street that ships with the package: something to score and serve with at once.

    Raises:
        CheckpointError: this installation lacks it.
    """
    path = Path(str(resources.files("model").joinpath("data", "demo.safetensors")))
    if not path.is_file():
        raise CheckpointError(f"the demo model is not there ({path}): install framewatch again")
    return path


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint whole: to a temporary name, then renamed.

    Raises:
        CheckpointError: the folder is missing or cannot be written, or a number of the description is not finite.
    """
    detector = checkpoint.detector
    tensors = {name: value.detach().cpu().contiguous() for name, value in detector.exact_state().items()}
    document = {
        "format": FORMAT,
        "config": dataclasses.asdict(detector.config),
        "calibration": dataclasses.asdict(checkpoint.calibration),
        "provenance": dataclasses.asdict(checkpoint.provenance),
    }
    try:
        description = json.dumps(document, allow_nan=False)
        with atomic_path(path) as temporary:
            safetensors.torch.save_file(tensors, temporary, metadata={_KEY: description})
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"cannot write {path}: {error}") from error


def load(path: Path, *, device: torch.device | str = "cpu") -> Checkpoint:
    """Rebuilds a detector, in float32, from its file alone.

    Raises:
        CheckpointError: not a framewatch checkpoint, another version, or tampered with (missing or extra tensors,
            wrong shapes, values that are not finite).
    """
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise CheckpointError(f"cannot read {path}: {getattr(error, 'strerror', error)}") from error
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
        raise CheckpointError(f"{path} is no framewatch checkpoint: give one made by `framewatch train`")
    try:
        document = _description(metadata[_KEY])
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: its description is damaged ({error})") from error
    if document.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} has checkpoint format {document.get('format')!r}, this framewatch ({__version__}) reads {FORMAT}: "
            "train it again, or install the framewatch that wrote it"
        )
    try:
        calibration = _build(Calibration, "calibration", document.get("calibration"))
        provenance = _build(Provenance, "provenance", document.get("provenance"))
        with torch.device("meta"):  # shapes only: a description of a huge network takes no memory
            detector = Detector(_build(DetectorConfig, "config", document.get("config")))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: its description does not fit: {error}") from error
    _check_tensors(path, detector.state_dict(), tensors)
    detector.to_empty(device=device).load_state_dict(tensors)
    if not math.isclose(float(detector.theta), calibration.theta, rel_tol=1e-5):
        raise CheckpointError(
            f"{path}: the threshold of its description is {calibration.theta}, the stored one {float(detector.theta)}"
        )
    return Checkpoint(detector, calibration, provenance)


def _description(text: str) -> dict[str, object]:
    if len(text) > MAX_DESCRIPTION:
        raise ValueError(f"{len(text)} characters, at most {MAX_DESCRIPTION} are read")
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("no JSON object")
    return document


def _check_tensors(path: Path, expected: dict[str, torch.Tensor], tensors: dict[str, torch.Tensor]) -> None:
    """Refuses tensors that are not exactly those of the description, or hold values that are not finite."""
    unfit = f"{path}: its tensors do not fit its description:"
    for what, names in (("missing", expected.keys() - tensors.keys()), ("unknown", tensors.keys() - expected.keys())):
        if names:
            raise CheckpointError(f"{unfit} {what} {listed(sorted(names), _SHOWN)}")
    for name, wanted in expected.items():
        value = tensors[name]
        if value.shape != wanted.shape or value.dtype != wanted.dtype:
            raise CheckpointError(
                f"{unfit} {name} is {value.dtype} {tuple(value.shape)}, expected {wanted.dtype} {tuple(wanted.shape)}"
            )
        if not bool(value.isfinite().all()):
            raise CheckpointError(f"{path}: tensor {name} holds values that are not finite")
    if bool((tensors["error_weight"] < 0).any()):
        raise CheckpointError(f"{path}: tensor error_weight holds values below 0, and errors cannot be below 0")


def _build(kind: type[T], name: str, values: object) -> T:
    """A frozen dataclass from JSON: every key there and known, every value of its type.

    Missing keys do not take a default: it may be another one than when the checkpoint was written.
    """
    if not isinstance(values, dict):
        raise TypeError(f"{name} is {_shown(values)}, expected an object")
    hints = get_type_hints(kind)
    for what, keys in (("lacks", hints.keys() - values.keys()), ("has unknown", values.keys() - hints.keys())):
        if keys:
            raise ValueError(f"{name} {what} {', '.join(map(_shown, sorted(keys)[:_SHOWN]))}")
    return kind(**{key: _value(f"{name}.{key}", hints[key], value) for key, value in values.items()})


def _value(name: str, hint: Any, value: object) -> object:
    """A JSON value as a field takes it; `hint` is one of the kinds that the dataclasses here have."""
    inner = get_args(hint)
    if hint is Any:
        try:
            json.dumps(value, allow_nan=False)
        except ValueError:
            raise ValueError(f"{name} holds a number that is not finite") from None
        return value
    if hint is Geometry:
        return _build(Geometry, name, value)
    if get_origin(hint) is tuple:
        if isinstance(value, list) and len(value) == len(inner):
            return tuple(_value(name, kind, item) for kind, item in zip(inner, value, strict=True))
    elif get_origin(hint) is dict:
        if isinstance(value, dict):
            return {key: _value(f"{name}.{key}", inner[1], item) for key, item in value.items()}
    elif get_origin(hint) is Literal:
        if value in inner:
            return value
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) <= sys.float_info.max:
            return float(value)
        raise ValueError(f"{name} is not finite")
    elif isinstance(value, hint) and isinstance(value, bool) == (hint is bool):
        return value
    expected = " or ".join(inner) if get_origin(hint) is Literal else hint.__name__
    raise TypeError(f"{name} is {_shown(value)}, expected {expected}")


def _shown(value: object) -> str:
    """A value for a message, cut to a line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
