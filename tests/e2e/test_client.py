"""The client for Python says everything that the service understands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.client import Client
from tests.e2e.serving import Served, served
from tests.model.detectors import INTERVAL, pictures
from tests.model.drawn import write_video
from tests.service.live import png


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("data")
    with served(folder, sources={"yard": write_video(folder / "yard.mp4", 40)}) as running:
        yield running


def test_streams_are_put_shown_and_asked_about(service: Served) -> None:
    with Client(service.url, timeout=120) as client:
        made = client.create_stream(request="one", name="Gate", policy="every", threshold=1e-6, minimum=0)
        id = made["id"]
        assert client.create_stream(request="one", name="Gate", policy="every", threshold=1e-6, minimum=0)["id"] == id
        with client.ingest(id, header=True) as sender:
            for n, image in enumerate(pictures(20)):
                sender.send(png(image), captured=n * INTERVAL)
            list(sender.finish())
        assert {one["name"]: one["streams"] for one in client.models()} == {"door": [id]}
        shown = next(client.pictures(id, width=64, heat=True))
        assert (shown.message["seq"], shown.message["health"]) == (20, "ended")
        assert shown.jpeg.startswith(b"\xff\xd8")
        assert shown.heat is not None
        assert client.what_if(id)["events"] == 1
        assert client.what_if(id, threshold=1e6, seconds=10)["events"] == 0
        assert len(client.events_table().splitlines()) == 2
        assert client.put_stream(id, name="North gate")["name"] == "North gate"
        client.delete_stream(id)


def test_a_camera_is_tried_and_a_job_followed(service: Served, tmp_path: Path) -> None:
    with Client(service.url, timeout=120) as client:
        assert client.test_source("yard")["ok"]
        assert client.test_source("none")["error_class"] == "unknown_source"
        id = client.post_videos([write_video(tmp_path / "v.mp4", 12)], request="two")["id"]
        assert list(client.follow_job(id))[-1]["state"] == "done"
