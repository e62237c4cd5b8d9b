"""`framewatch learn`: from a camera to a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.commands.learn import parse_duration
from service.faults import InputError
from tests.service.command_line import framewatch, refused
from tests.training.drawn import write_moving_video


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("0.5h", 1800)])
def test_a_time_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "m", "30 m", "-5m", "2s", "25h", "half an hour"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--for"):
        parse_duration(text)


def test_a_video_is_recorded_to_its_end_and_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}

    def learned(clips: Path, out: Path, **settings: object) -> dict[str, object]:
        given.update(settings, pictures=len(list(clips.rglob("*.jpg"))))
        return {"text": "learned", "notes": ["little"], "interrupted": False}

    monkeypatch.setattr("service.commands.learn.learn", learned)  # training itself is tested elsewhere
    video = write_moving_video(tmp_path / "yard.mp4", 80)
    ended = framewatch("learn", video, "--for", "1m", "--out", tmp_path / "yard.safetensors")
    assert ended.code == 0, ended.err
    assert ended.out.split() == ["learned", "little"]
    assert given["pictures"] == 80
    assert "is at its end after 8 of 60 seconds" in ended.said
    assert [path.name for path in tmp_path.iterdir()] == ["yard.mp4"], "the footage is gone"


def test_a_learning_that_is_interrupted_keeps_the_best_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "yard.safetensors"

    def learned(*_: object, **__: object) -> dict[str, object]:
        out.with_suffix(".partial.safetensors").touch()
        return {"text": "learned", "notes": [], "interrupted": True}

    monkeypatch.setattr("service.commands.learn.learn", learned)
    ended = framewatch("learn", write_moving_video(tmp_path / "yard.mp4", 80), "--for", "6s", "--out", out)
    assert ended.code == 130
    assert "yard.safetensors holds the best so far" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["yard.mp4"], "there is nothing that could go on"


def test_what_cannot_be_recorded_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    assert "expected a camera's URL, the number of a webcam, or a video file" in refused("learn", "none.mp4", "-o", out)
    assert "ends in .safetensors" in refused("learn", "rtsp://127.0.0.1/live", "-o", tmp_path / "m.pt")
    short = write_moving_video(tmp_path / "short.mp4", 20)
    assert "seconds were recorded, which is too little" in refused("learn", short, "-o", out)
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    assert "bad.mp4" in refused("learn", tmp_path / "bad.mp4", "-o", out)
