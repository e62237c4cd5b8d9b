"""The same clip has the same scores, whichever way it comes: pushed, uploaded, or from the command line."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from model.pictures import Image
from service.client import Client
from tests.e2e.serving import Served, served
from tests.model.detectors import INTERVAL, pictures
from tests.service.command_line import framewatch
from tests.service.live import png

FRAMES = 40


@pytest.fixture(scope="module")
def images() -> list[Image]:
    return pictures(FRAMES)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, service: Served, images: list[Image]) -> list[dict[str, str]]:
    """What `framewatch score` writes for the clip, a zip of numbered pictures."""
    folder = tmp_path_factory.mktemp("footage")
    out = folder / "scores.csv"
    model = service.monitor.settings.models_folder / "door.safetensors"
    ended = framewatch(
        "score", zipped(folder, images), "--model", model, "--out", out, "--device", "cpu", "--precision", "float32"
    )
    assert ended.code == 0, ended.err
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


def zipped(folder: Path, images: list[Image]) -> Path:
    """The clip `01` as a zip of PNG files."""
    path = folder / "clip.zip"
    if not path.exists():
        with zipfile.ZipFile(path, "w") as archive:
            for number, image in enumerate(images):
                archive.writestr(f"01/{number:04d}.png", cv2.imencode(".png", image)[1].tobytes())
    return path


def number(text: str) -> float | None:
    return float(text) if text else None


def close(value: float | None, text: str) -> bool:
    """Whether a score is that of the table, to 1e-5."""
    expected = number(text)
    if value is None or expected is None:
        return value is expected
    return value == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_an_uploaded_clip_has_the_scores_of_the_command_line(
    service: Served, table: list[dict[str, str]], images: list[Image], tmp_path: Path
) -> None:
    with Client(service.url) as client:
        answer = client.post_videos([zipped(tmp_path, images)], wait=True)
    assert len(answer["scores"]) == len(table) == FRAMES
    for row, expected in zip(answer["scores"], table, strict=True):
        assert (row["clip"], row["frame"]) == (expected["clip"], int(expected["frame"]))
        assert row["state"] == expected["state"]
        for name in ("time", "raw", "score", "smoothed"):
            assert close(row[name], expected[name]), (name, row, expected)


def test_the_table_of_a_job_is_that_of_the_command_line(
    service: Served, table: list[dict[str, str]], images: list[Image], tmp_path: Path
) -> None:
    with Client(service.url) as client:
        job = client.wait_for_job(client.put_video(zipped(tmp_path, images))["id"])
        assert (job["state"], job["frames"], job["error"]) == ("done", FRAMES, "")
        rows = list(csv.DictReader(client.job_table(job["id"]).splitlines()))
        submission = client.job_table(job["id"], "submission.csv").splitlines()
    assert list(rows[0]) == list(table[0])
    assert all(close(number(row["raw"]), want["raw"]) for row, want in zip(rows, table, strict=True))
    assert submission[0] == "Id,Predicted"
    assert len(submission) == FRAMES + 1


@pytest.mark.parametrize("others", [0, 20])
def test_pushed_frames_have_the_scores_of_the_command_line(
    service: Served, table: list[dict[str, str]], images: list[Image], others: int
) -> None:
    """From the first full window on, also while other streams run."""
    names = [f"cam{n}" for n in range(others + 1)]
    with Client(service.url) as client:
        for name in names:
            client.create_stream(id=name, policy="every")
        try:
            for name in names[1:]:
                with client.ingest(name, header=True, scores=False) as sender:
                    for n, image in enumerate(pictures(12, seed=len(name))):
                        sender.send(png(image), captured=n * INTERVAL)
            with client.ingest(names[0], header=True) as sender:
                for n, image in enumerate(images):
                    sender.send(png(image), captured=n * INTERVAL, number=n)
                said = list(sender.finish())
        finally:
            for name in names:
                client.delete_stream(name, purge=True)
    scores = [message for message in said if message["type"] == "score"]
    assert [message["frame"] for message in scores] == list(range(FRAMES))
    assert said[-1]["type"] == "bye"
    full = [message for message in scores if message["raw"] is not None]
    assert len(full) > FRAMES // 2
    for message in full:
        expected = table[message["frame"]]
        assert close(message["pts"], expected["time"])
        for name in ("raw", "score", "smoothed"):
            assert close(message[name], expected[name]), (name, message, expected)
        assert message["state"] == expected["state"]
