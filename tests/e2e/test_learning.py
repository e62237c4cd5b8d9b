"""A camera is learned while it is watched: recorded, trained on apart, and scored by its own model from then on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from model.checkpoint import load
from model.pictures import Image
from service.client import Client, ServiceError
from service.unscored import UNLEARNED
from tests.e2e.given import show
from tests.e2e.hurried import ENDLESS, TINY, hurried
from tests.e2e.serving import Served, served
from tests.model.detectors import INTERVAL, pictures
from tests.service.command_line import write_checkpoint
from tests.service.live import jpeg
from tests.training.drawn import write_moving_video
from tests.waiting import wait_for


def push(client: Client, stream: str, images: Sequence[Image], *, start: float = 1e9) -> None:
    """Sends frames as if they were 0.1 s apart, as fast as they are taken."""
    with client.ingest(stream, header=True, scores=False) as sender:
        for at, image in enumerate(images):
            sender.send(jpeg(image), captured=start + at * INTERVAL)
        list(sender.finish())


@pytest.fixture(scope="module", autouse=True)
def hurry() -> Iterator[None]:
    with hurried():
        yield


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service without any model."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "models").mkdir()
    sources = {"short": write_moving_video(folder / "short.mp4", 30)}
    with served(folder, model=None, sources=sources) as running:
        yield running


@pytest.fixture
def client(bare: Served) -> Iterator[Client]:
    with Client(bare.url, timeout=60) as one:
        yield one
        for learning in one.learnings():
            one.cancel_learning(learning["id"])
        for stream in one.streams():
            one.delete_stream(stream["id"], purge=True)


def test_a_new_camera_is_learned_across_two_restarts_and_scored_by_its_own_model(tmp_path: Path) -> None:
    sources = {"yard": write_moving_video(tmp_path / "yard.mp4", 120)}
    (tmp_path / "data" / "models").mkdir(parents=True)
    with served(tmp_path / "data", model=None, sources=sources) as service, Client(service.url) as client:
        made = client.create_stream(id="yard", source="yard", loop=True)
        assert (made["model"], made["reason"]) == (None, UNLEARNED)
        assert client.ready() != []
        wait_for(lambda: client.stream("yard")["health"] == "live", seconds=200)
        shown = client.stream_picture("yard")
        picture = cv2.imdecode(np.frombuffer(shown, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert picture is not None and picture.shape == (64, 96)
        id = client.learn("yard", minutes=0.12)["id"]
        wait_for(lambda: client.learning(id)["progress"] > 0.3, seconds=200)
    with served(tmp_path / "data", model=None, sources=sources) as service, Client(service.url) as client:
        service.monitor.learner.choices = ENDLESS
        assert client.learning(id)["state"] == "recording"
        wait_for(lambda: client.learning(id)["state"] == "training", seconds=200)
    with served(tmp_path / "data", model=None, sources=sources) as service, Client(service.url) as client:
        assert client.learning(id)["state"] == "training"
        ready = client.wait_for_learning(id, seconds=240)
        assert (ready["state"], ready["progress"]) == ("ready", 1.0), ready["detail"]
        assert 7.2 <= ready["recorded"] < 9
        report = ready["report"]
        assert report["calibration"]["upper_bound"] > 0 and not report["sufficient_footage"]
        assert "which is little" in report["notes"][0]
        assert not (tmp_path / "data" / "learning" / id).exists(), "the footage is gone"
        client.activate_learning(id)
        stream = client.stream("yard")
        assert (stream["model"], stream["options"]["model"]) == (ready["model"], ready["model"])
        wait_for(lambda: any(score["raw"] is not None for score in client.scores("yard")), seconds=200)
        assert client.ready() == []
        checkpoint = load(tmp_path / "data" / "models" / f"{ready['model']}.safetensors")
        assert checkpoint.detector.config.frame_interval == pytest.approx(
            INTERVAL, rel=0.5
        )  # less a few that were lost
        assert checkpoint.provenance.command == "framewatch learn yard --for 0.12m"
        with pytest.raises(ServiceError, match=r"409.*is used by yard"):
            client.delete_model(ready["model"])
        client.delete_stream("yard")
        client.delete_model(ready["model"])
        assert client.models() == []
        with pytest.raises(ServiceError, match="404"):
            client.activate_learning(id)


def test_a_pushed_stream_without_a_model_takes_frames_and_its_sender_is_told_when_there_is_one(
    bare: Served, client: Client
) -> None:
    client.create_stream(id="gate")
    push(client, "gate", pictures(10))
    stream = client.stream("gate")
    assert (stream["frames"], stream["scored"], stream["dropped"]["unlearned"]) == (10, 0, 10)
    write_checkpoint(bare.monitor.settings.models_folder / "door.safetensors")
    with client.ingest("gate", header=True) as sender:
        sender.send(jpeg(pictures(1)[0]), captured=2e9)
        client.change_stream("gate", model="door")
        with pytest.raises(ServiceError, match="connect again"):
            list(sender.received(seconds=120))
    push(client, "gate", pictures(20), start=3e9)
    assert client.stream("gate")["scored"] > 0


def test_a_learning_can_be_cancelled_while_it_records(client: Client) -> None:
    client.create_stream(id="gate")
    id = client.learn("gate", minutes=30)["id"]
    with pytest.raises(ServiceError, match="already"):
        client.learn("gate")
    push(client, "gate", pictures(10))
    client.cancel_learning(id)
    assert client.wait_for_learning(id, seconds=120)["state"] == "cancelled"
    with pytest.raises(ServiceError, match="409"):
        client.activate_learning(id)
    client.cancel_learning(id)
    assert client.learnings() == []


def test_a_learning_can_be_cancelled_while_it_trains(bare: Served, client: Client) -> None:
    bare.monitor.learner.choices = ENDLESS
    client.create_stream(id="gate")
    id = client.learn("gate", minutes=0.12)["id"]
    show(bare, client, "gate", pictures(110))
    wait_for(lambda: client.learning(id)["state"] == "training", seconds=200)
    client.cancel_learning(id)
    assert client.wait_for_learning(id, seconds=120)["state"] == "cancelled"
    bare.monitor.learner.choices = TINY


def test_what_cannot_be_learned_says_why(bare: Served, client: Client) -> None:
    client.create_stream(id="still")
    client.create_stream(id="short", source="short")
    client.create_stream(id="gone")
    still, short, gone = (client.learn(stream, minutes=0.12)["id"] for stream in ("still", "short", "gone"))
    client.delete_stream("gone")
    show(bare, client, "still", pictures(1) * 110)
    ended = {id: client.wait_for_learning(id, seconds=240) for id in (still, short, gone)}
    assert {one["state"] for one in ended.values()} == {"failed"}
    assert "too little moves in this footage" in ended[still]["detail"]
    assert re.search("the stream has ended after 0:0[0-2] of 0:07, which is too little", ended[short]["detail"])
    assert "the stream was removed" in ended[gone]["detail"]


def test_a_disk_that_is_nearly_full_takes_no_recording(tmp_path: Path) -> None:
    with served(tmp_path, min_free_disk_bytes=10**15) as service, Client(service.url) as client:
        client.create_stream(id="gate")
        with pytest.raises(ServiceError, match=r"507.*too little free disk space"):
            client.learn("gate")


@pytest.mark.parametrize("minutes", [0, -1, 2000])
def test_a_time_that_cannot_be_is_refused(client: Client, minutes: float) -> None:
    client.create_stream(id="gate")
    with pytest.raises(ServiceError, match="422"):
        client.learn("gate", minutes=minutes)
    with pytest.raises(ServiceError, match="404"):
        client.learn("nobody")
