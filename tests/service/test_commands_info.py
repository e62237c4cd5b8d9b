"""`framewatch info`: what a checkpoint is, and what this installation is."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

import model
from model.checkpoint import load, save
from tests.service.command_line import framewatch, refused, write_checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "m.safetensors", window=5, hidden=32, latent=7, smoothing=0.4, minimum=0.3)


def test_the_installation_is_described() -> None:
    ended = framewatch("info")
    assert ended.code == 0
    for name in ("framewatch", "Python", "torch", "OpenCV", "FFmpeg", "CPU", "CUDA", "auto means"):
        assert any(line.startswith(name) for line in ended.out.splitlines()), name


def test_the_installation_as_json() -> None:
    document = framewatch("info", "--json").json
    assert document["framewatch"] == model.__version__
    assert document["torch"] == torch.__version__
    assert document["ffmpeg"]
    assert document["device"] in ("cpu", "cuda")
    assert document["precision"] in ("float32", "bfloat16", "float16")


@pytest.mark.parametrize(
    "part",
    [
        "m.safetensors (",
        "EfficientNet-Lite0 stem",
        "LSTM, hidden 32, latent 7",
        "96×64 gray, from pictures of 96×64",
        "5 frames, one every 0.1 s (10 a second)",
        "mean of the last 0.4 s; an alarm lasts 0.3 s at least",
        "0.5 for 1 false alarm an hour",
        "rests on 12.0 minutes of held-out normal footage: 0 alarms, so at most 18.4 an hour",
        "insufficient footage",
        "framewatch train normal/ --out model.safetensors",
        "one small picture of the scene",
        "frames: 120",
    ],
)
def test_a_checkpoint_is_described(checkpoint: Path, part: str) -> None:
    assert part in framewatch("info", checkpoint).out


def test_a_checkpoint_as_json(checkpoint: Path) -> None:
    document = framewatch("info", checkpoint, "--json").json
    assert document["config"]["window"] == 5
    assert document["calibration"]["theta"] == 0.5
    assert document["calibration"]["sufficient"] is False
    assert document["provenance"]["command"] == "framewatch train normal/ --out model.safetensors"
    assert document["bytes"] == checkpoint.stat().st_size
    assert document["holds_picture"] is True
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_a_checkpoint_from_elsewhere_does_not_steer_the_terminal(checkpoint: Path) -> None:
    found = load(checkpoint)
    spoilt = dataclasses.replace(found.provenance, command="a\x1b]0;title\x07b", training={"x\x9b2J": "\x1b[2J"})
    save(checkpoint, dataclasses.replace(found, provenance=spoilt))
    text = framewatch("info", checkpoint).out
    assert "a\ufffd]0;title\ufffdb" in text
    assert all(letter.isprintable() or letter == "\n" for letter in text)


def test_a_model_of_whole_frames_is_described(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "p.safetensors", encoder="pixels", smoothing=0.0)
    text = framewatch("info", path).out
    assert "raw pixels of the whole frame" in text
    assert "none; an alarm lasts" in text


def test_the_demo_model_is_known_by_name(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.commands.opening.bundled", lambda: checkpoint)
    assert framewatch("info", "demo").out == framewatch("info", checkpoint).out


@pytest.mark.parametrize(
    ("content", "part"), [(None, "cannot read"), (b"", "no safetensors file"), (b"x" * 5000, "no safetensors file")]
)
def test_a_file_that_is_no_checkpoint(tmp_path: Path, content: bytes | None, part: str) -> None:
    path = tmp_path / "m.safetensors"
    if content is not None:
        path.write_bytes(content)
    message = refused("info", path)
    assert part in message
    assert str(path) in message


def test_a_truncated_checkpoint(checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:-500])
    assert "is no safetensors file, or damaged" in refused("info", checkpoint)
