"""The benchmarks of speed and memory on a handful of frames."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import memory, score
from bench.memory import Sample, growth, watch, write_video
from model.checkpoint import Checkpoint, Provenance, save
from model.detector import Calibration, Detector, DetectorConfig
from model.footage import open_footage
from model.frames import Geometry
from service.progress import Reporter
from tests.model import drawn
from training.scene import Street


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A checkpoint of the smallest detector for pictures of 96×64."""
    config = DetectorConfig(
        encoder="pixels",
        geometry=Geometry.of_frame((64, 96), size=16),
        frame_interval=0.1,
        window=4,
        hidden=4,
        latent=2,
        top=1,
    )
    path = tmp_path / "model.safetensors"
    save(path, Checkpoint(Detector(config), Calibration(1.0, 1.0, 1.0, 0, 1.0, True), Provenance("a test")))
    return path


def test_scoring_is_measured_beside_decoding(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = drawn.write_video(tmp_path / "video.mp4", 12)
    arguments = ["--footage", str(video), "--model", str(model), "--rounds", "1", "--precision", "float32"]
    assert score.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("12 frames in 1 clips, network input 16x16")
    assert [line.split()[:2] for line in lines[-2:]] == [["bare", "decoding"], ["scoring", "float32"]]
    assert lines[-2].split()[-1] == "1.000"


def test_footage_that_is_not_there_is_named(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert score.main(["--footage", str(tmp_path / "gone.mp4"), "--model", str(model)]) == 1
    assert "gone.mp4" in capsys.readouterr().err


def test_growth_is_fitted_within_the_window() -> None:
    samples = [Sample(1.0, 900.0), *(Sample(minute, 100.0 + minute) for minute in (10.0, 20.0, 40.0, 60.0))]
    grown = growth(samples, 10, 60)
    assert grown is not None
    assert grown.slope == pytest.approx(60.0)
    assert (grown.start, grown.stop, grown.first, grown.last) == (10.0, 60.0, 110.0, 160.0)


@pytest.mark.parametrize("samples", [[], [Sample(20.0, 1.0)], [Sample(20.0, 1.0), Sample(20.0, 2.0)]])
def test_growth_is_unknown_from_too_few_samples(samples: list[Sample]) -> None:
    assert growth(samples, 10, 60) is None


def test_memory_is_sampled_while_rows_come() -> None:
    code = "import time\nprint('clip,frame,time,raw')\n"
    code += "for n in range(40):\n    print(f'a,{n},{60 * n}.0,1', flush=True)\n    time.sleep(0.02)\n"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        samples, frames = watch(process, 0.05)
    assert frames == 40
    assert samples
    assert all(sample.resident > 1 for sample in samples)
    assert [sample.minute for sample in samples] == sorted(sample.minute for sample in samples)


def test_the_long_video_has_its_length_and_its_time_stamps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LOOP", 0.5)
    write_video(tmp_path / "long.mp4", Street(height=64, width=96), minutes=0.02, reporter=Reporter())
    with open_footage([tmp_path / "long.mp4"]) as footage:
        times = [frame.pts for frame in footage.clips[0].frames()]
    assert times == pytest.approx([0.1 * n for n in range(12)])
