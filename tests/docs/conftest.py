"""What the pages name: a folder of footage and models, a service, a camera, and a receiver of alerts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from service.auth import SCOPES, mint
from service.client import Client
from tests.conftest import ROOT
from tests.docs.running import Surroundings
from tests.e2e.serving import Served, served
from tests.model.detectors import HEIGHT, WIDTH, pictures
from tests.service.alerts.receiver import LOOPBACK, receiving
from tests.service.command_line import write_checkpoint
from tests.service.readers.servers import FakeCamera, RtspCamera, nal_units
from tests.training.drawn import write_clips, write_moving_video

FRAMES = 24
CLIPS = ("01", "02")


@pytest.fixture(scope="package")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything lies that the pages name, small."""
    folder = tmp_path_factory.mktemp("docs")
    for parent in ("normal", "training_videos"):
        write_clips(folder / parent, 5, FRAMES)
    for parent in ("clips", "test", "testing_videos"):
        write_clips(folder / parent, len(CLIPS), FRAMES, seed=9)
    shutil.make_archive(str(folder / "testing_videos"), "zip", folder / "testing_videos")
    write_moving_video(folder / "video.mp4", FRAMES)
    street = folder / "framewatch-demo/footage/test/02"
    street.mkdir(parents=True)
    video = cv2.VideoCapture(str(ROOT / "model/data/demo.mp4"))
    for number in range(12):
        cv2.imwrite(str(street / f"frame_{number:05d}.jpg"), video.read()[1])
    write_checkpoint(folder / "model.safetensors")
    shutil.copy(folder / "model.safetensors", folder / "avenue.safetensors")
    write_clips(folder / "out/demo/footage/test", len(CLIPS), FRAMES, seed=9)
    shutil.copy(folder / "model.safetensors", folder / "out/demo")
    labels = np.zeros(FRAMES, np.uint8)
    labels[FRAMES // 2 :] = 1
    np.savez(folder / "labels.npz", allow_pickle=False, **dict.fromkeys(CLIPS, labels))
    (folder / "frames").mkdir()
    for number, image in enumerate(pictures(FRAMES)):
        cv2.imwrite(str(folder / "frames" / f"{number:05d}.png"), image)
    for clip in CLIPS:
        (folder / "masks" / clip).mkdir(parents=True)
        for number, label in enumerate(labels):
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            mask[: HEIGHT // 2, : WIDTH // 2] = 255 * label
            cv2.imwrite(str(folder / "masks" / clip / f"{number:05d}.png"), mask)
    ids = [f"{int(clip)}_{number}" for clip in CLIPS for number in range(FRAMES)]
    (folder / "row_ids.csv").write_text("\n".join(["Id", *ids]) + "\n")
    return folder


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory, desk: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("data")
    sources = dict.fromkeys(["vtest", "avenue"], desk / "video.mp4")
    networks = {"webhook_networks": LOOPBACK, "camera_networks": LOOPBACK}
    with served(folder, sources=sources, clip_after_s=0.0, open_timeout_s=20.0, **networks) as running:
        running.monitor.learner.choices = {"steps": 20, "size": 64, "self_test": False, "augment": False}
        running.monitor.learner.nice = 0  # a training is soon over, also on a machine that has other work
        yield running


@pytest.fixture(scope="package")
def around(service: Served) -> Iterator[Surroundings]:
    with receiving() as receiver, FakeCamera(RtspCamera(nal_units(50), interval=0.1)) as camera:
        yield Surroundings(service.url.removeprefix("http://"), receiver, camera)


@pytest.fixture
def place(desk: Path, service: Served, around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Surroundings]:
    """The desk as working directory, a key in the environment, which is not needed here; a clean service."""
    monkeypatch.chdir(desk)
    monkeypatch.setenv("KEY", mint("docs", SCOPES, 0.0)[0])
    yield around
    with Client(service.url, timeout=60) as client:
        for learning in client.learnings():
            client.cancel_learning(learning["id"])
        for webhook in client.webhooks():
            client.delete_webhook(webhook["id"])
        for stream in client.streams():
            client.delete_stream(stream["id"], purge=True)
