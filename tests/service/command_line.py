"""Runs the `framewatch` command in this process, and makes small checkpoints for it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from model.checkpoint import Checkpoint, Provenance, save
from model.detector import Calibration
from service.cli import app
from tests.model.detectors import detector


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """Standard error in one line, as it reads whatever the terminal's width."""
        return re.sub(r"\s+", " ", self.err).strip()


def framewatch(*words: object) -> Ended:
    """Runs the command with these words; an exception that it lets through is raised here."""
    result = CliRunner().invoke(app, [str(word) for word in words], prog_name="framewatch")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ended(result.exit_code, result.stdout, result.stderr)


def refused(*words: object) -> str:
    """The one message of a command that must end with exit code 1, without a traceback and without output."""
    ended = framewatch(*words)
    assert ended.code == 1, ended
    assert ended.out == ""
    assert "Traceback" not in ended.err
    lines = [line for line in ended.err.splitlines() if line.startswith("framewatch: ")]
    assert len(lines) == 1, ended.err
    return ended.said.partition("framewatch: ")[2]


def misused(*words: object) -> str:
    """What a command says that must end with exit code 2: wrong usage."""
    ended = framewatch(*words)
    assert ended.code == 2, ended
    assert "Traceback" not in ended.err
    return ended.said


def write_checkpoint(path: Path, *, theta: float = 0.5, **changes: Any) -> Path:
    """A checkpoint that has learned nothing: whatever moves is new to it."""
    model = detector(**changes)
    model.theta.fill_(theta)
    calibration = Calibration(theta, 1.0, 12.0, 0, 18.4, True)
    provenance = Provenance("framewatch train normal/ --out model.safetensors", training={"frames": 120})
    save(path, Checkpoint(model, calibration, provenance))
    return path
