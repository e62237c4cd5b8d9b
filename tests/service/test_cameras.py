"""Before a camera is a stream: it is tried out, and the demo's street stands in for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from model.checkpoint import bundled, load
from model.footage import open_footage
from model.scoring import ClipScorer
from model.states import State
from service import demo
from service.client import Client, ServiceError
from tests.e2e.serving import Served, served
from tests.model.drawn import encoded, write_video
from tests.service.readers.servers import FakeCamera, answering, mjpeg
from training.demo_clip import HAPPENS


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("data")
    sources = {"yard": write_video(folder / "yard.mp4", 40), "gone": folder / "gone.mp4"}
    with served(folder, camera_networks=("127.0.0.0/8",), sources=sources, open_timeout_s=20.0) as running:
        yield running


@pytest.fixture
def client(service: Served) -> Iterator[Client]:
    with Client(service.url, timeout=120) as one:
        yield one


def tried(client: Client, source: Any) -> dict[str, Any]:
    found: dict[str, Any] = client.request("POST", "/v1/streams/test", json={"source": source}).json()
    return found


@pytest.fixture
def camera() -> Iterator[Callable[..., str]]:
    """Starts fake cameras; gives their URLs."""
    with ExitStack() as running:

        def start(handler: Any) -> str:
            return f"http://127.0.0.1:{running.enter_context(FakeCamera(handler)).port}/live"

        yield start


def test_a_camera_that_works_is_told_by_its_pictures(client: Client, camera: Callable[..., str]) -> None:
    url = camera(mjpeg([encoded(at=n) for n in range(8)], interval=0.05, again=True))
    found = tried(client, url)
    assert (found["ok"], found["width"], found["height"]) == (True, 96, 64)
    assert 1 < found["frame_rate"] < 100
    assert client.streams() == []


def test_a_file_is_told_with_its_own_rate(client: Client) -> None:
    assert tried(client, {"source": "yard"}) == {
        "ok": True,
        "width": 96,
        "height": 64,
        "frame_rate": 10.0,
        "error_class": "",
        "reason": "",
    }


def test_a_camera_that_refuses_says_why(client: Client, camera: Callable[..., str]) -> None:
    found = tried(client, camera(answering("401 Unauthorized")).replace("http://", "http://user:hunter2@"))
    assert (found["ok"], found["error_class"]) == (False, "auth")
    assert found["reason"]
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("source", "error_class"),
    [
        ("http://169.254.169.254/latest", "address_forbidden"),
        ("ftp://127.0.0.1/x", "url_scheme"),
        ("/etc/passwd", "unknown_source"),
        ("gone", "file"),
    ],
)
def test_what_cannot_be_read_is_told_and_nothing_is_kept(client: Client, source: str, error_class: str) -> None:
    found = tried(client, source)
    assert (found["ok"], found["error_class"]) == (False, error_class)
    assert client.streams() == []


@pytest.mark.parametrize("source", [None, "", {}, {"id": "pushed"}, 7])
def test_what_is_no_source_is_refused(client: Client, source: Any) -> None:
    with pytest.raises(ServiceError) as error:
        tried(client, source)
    assert error.value.status == 422


def test_only_so_many_are_tried_at_once(client: Client, service: Served) -> None:
    service.monitor.trials += 2
    try:
        with pytest.raises(ServiceError) as error:
            tried(client, "yard")
    finally:
        service.monitor.trials -= 2
    assert (error.value.status, error.value.retry_after) == (429, 5)


def test_the_demo_runs_on_one_request_and_after_a_restart(tmp_path: Path) -> None:
    for status in (201, 200):
        with served(tmp_path) as running, Client(running.url, timeout=120) as client:
            answer = client.request("POST", "/v1/streams/demo")
            assert answer.status_code == status
            assert (answer.json()["id"], answer.json()["model"]) == ("demo", "demo")
            until = time.monotonic() + 120
            while (view := client.stream("demo"))["scored"] < 3:
                assert time.monotonic() < until, view
                time.sleep(0.2)
            assert view["health"] == "live"


def test_the_demo_is_calm_until_something_happens() -> None:
    onset = HAPPENS[0][0]
    alarms = []
    with open_footage([demo.LOOPS[demo.SOURCE]]) as footage:
        (clip,) = footage.clips
        scored = ClipScorer(load(bundled()).detector).score(clip)
        for one in islice(scored, round(10 * (onset + 3))):
            if one.row.state is State.ANOMALOUS:
                alarms.append(one.row.time)
    assert alarms
    assert onset < alarms[0] < onset + 3


def test_the_demo_is_a_small_file() -> None:
    assert demo.LOOPS[demo.SOURCE].stat().st_size < 1_000_000
