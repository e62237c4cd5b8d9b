"""A request that is sent again makes its thing once, whatever happened to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.client import Client, ServiceError
from service.problems import Problem
from service.repeats import Place, Repeats, digest
from service.store import Store
from tests.e2e.serving import Served, served
from tests.model.drawn import write_video
from tests.service.readers.servers import LOCAL, Connection, FakeCamera, answering
from tests.service.stored import T0
from tests.waiting import wait_for

PLACE: Place = ("key", "streams", "one")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


def ask(repeats: Repeats, made: str, *, content: str = "a", exists: bool = True, place: Place | None = PLACE) -> str:
    """What a request makes, or what was made for it before."""

    async def one() -> str:
        async with repeats.claim(place, exists=lambda id: exists) as claim:
            claim.asks(content)
            if claim.made is not None:
                return claim.made
            claim.remember(made)
            return made

    return asyncio.run(one())


def test_a_request_that_comes_again_makes_nothing_more(store: Store) -> None:
    assert [ask(Repeats(store.requests), made) for made in ("first", "second")] == ["first", "first"]
    assert ask(Repeats(store.requests), "third", place=("key", "streams", "two")) == "third"
    assert ask(Repeats(store.requests), "fourth", place=("other", "streams", "one")) == "fourth"


def test_a_request_without_a_name_is_not_remembered(store: Store) -> None:
    assert [ask(Repeats(store.requests), made, place=None) for made in ("first", "second")] == ["first", "second"]


def test_a_name_is_for_one_request(store: Store) -> None:
    repeats = Repeats(store.requests)
    ask(repeats, "first", content=digest({"id": "a"}))
    with pytest.raises(Problem) as problem:
        ask(repeats, "second", content=digest({"id": "b"}))
    assert problem.value.status == 422


def test_what_is_gone_is_made_again(store: Store) -> None:
    ask(Repeats(store.requests), "first")
    assert ask(Repeats(store.requests), "second", exists=False) == "second"
    assert ask(Repeats(store.requests), "third") == "second"


def test_after_a_day_a_name_is_free_again(tmp_path: Path) -> None:
    now = [T0]
    with Store.open(tmp_path, clock=lambda: now[0]) as store:
        ask(Repeats(store.requests), "first")
        now[0] += 86_400
        assert ask(Repeats(store.requests), "second") == "second"


def test_a_request_that_fails_may_be_sent_again(store: Store) -> None:
    repeats = Repeats(store.requests)

    async def fail() -> None:
        async with repeats.claim(PLACE, exists=lambda id: True) as claim:
            claim.remember("first")
            raise Problem(503, "no room")

    with pytest.raises(Problem):
        asyncio.run(fail())
    assert ask(repeats, "second") == "second"


def test_a_request_that_is_under_way_is_not_begun_again(store: Store) -> None:
    async def twice() -> None:
        repeats = Repeats(store.requests)
        async with repeats.claim(PLACE, exists=lambda id: True):
            with pytest.raises(Problem) as problem:
                async with repeats.claim(PLACE, exists=lambda id: True):
                    pass
            assert problem.value.status == 409

    asyncio.run(twice())


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("data")) as running:
        yield running


def test_a_stream_is_made_once(service: Served) -> None:
    with httpx2.Client(base_url=service.url, timeout=60) as client:
        named = {"Idempotency-Key": "gate-1"}
        answers = [client.post("/v1/streams", json={"name": "Gate"}, headers=named) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json()["id"] == answers[1].json()["id"]
        assert answers[0].headers["location"] == answers[1].headers["location"]
        assert client.post("/v1/streams", json={"name": "Yard"}, headers=named).status_code == 422
        assert client.post("/v1/streams", json={}, headers={"Idempotency-Key": "a b"}).status_code == 422
        assert len(client.get("/v1/streams").json()["streams"]) == 1
        client.delete(answers[0].headers["location"])


def test_an_upload_is_scored_once_and_leaves_no_copies(service: Served, tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", 20)
    named = {"Idempotency-Key": "upload-1"}
    with httpx2.Client(base_url=service.url, timeout=120) as client:
        ids = set()
        for _ in range(2):
            with path.open("rb") as file:
                answer = client.post("/v1/videos?wait=true", files={"file": ("v.mp4", file)}, headers=named)
            assert answer.status_code in (200, 202)
            ids.add(answer.json()["job"]["id"])
        with path.open("rb") as file:
            ids.add(client.put("/v1/videos/v.mp4", content=file.read(), headers=named).json()["id"])
        assert len(ids) == 1
        assert client.post("/v1/videos", files={"video": ("v.mp4", b"x")}).status_code == 422
        assert client.post("/v1/videos", data={"fps": "10"}).status_code == 422
        assert client.post("/v1/videos", content=b"no form").status_code == 422
        assert len(client.get("/v1/jobs").json()["jobs"]) == 1
    assert list(service.monitor.jobs.folder.iterdir()) == []


PUT = {"name": "Gate", "policy": "every"}


def put(client: Client, path: str, **fields: Any) -> tuple[int, dict[str, Any]]:
    answer = client.request("PUT", f"/v1/streams/{path}", json=fields)
    return answer.status_code, answer.json()


def test_a_stream_is_put_as_it_is_described(service: Served) -> None:
    with Client(service.url, timeout=60) as client:
        status, made = put(client, "gate", **PUT, threshold=0.7)
        assert (status, made["name"], made["threshold"]) == (201, "Gate", pytest.approx(0.7))
        member = service.monitor.roster.get("gate")
        assert put(client, "gate", **PUT, threshold=0.7)[0] == 200
        status, changed = put(client, "gate", name="North gate")
        assert (status, changed["name"], changed["options"]["policy"]) == (200, "North gate", "latest")
        assert changed["threshold"] == pytest.approx(0.5)
        assert service.monitor.roster.get("gate") is member
        status, moved = put(client, "gate", source="http://192.0.2.1/live")
        assert (status, moved["source"], moved["created"]) == (200, "http://192.0.2.1/live", made["created"])
        assert member.removed
        assert [one["id"] for one in client.streams()] == ["gate"]
        client.delete_stream("gate")


def test_a_camera_that_failed_is_tried_again_when_it_is_put_again(tmp_path: Path) -> None:
    answers = ["404 Not Found", "401 Unauthorized"]

    def answer(connection: Connection) -> None:
        answering(answers.pop(0))(connection)

    def failed(client: Client, status: str) -> bool:
        stream = client.stream("yard")
        return stream["health"] == "failed" and status in stream["reason"]

    with (
        FakeCamera(answer) as camera,
        served(tmp_path, camera_networks=LOCAL, open_timeout_s=20.0) as running,
        Client(running.url, timeout=60) as client,
    ):
        wanted = {"name": "Yard", "source": camera.url()}
        put(client, "yard", **wanted)
        wait_for(lambda: failed(client, "404"))
        assert put(client, "yard", **wanted)[0] == 200
        wait_for(lambda: failed(client, "401"))
        assert [one["id"] for one in client.streams()] == ["yard"]


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [("../x", {}, 404), ("a", {"id": "b"}, 422), ("a", {"model": "none"}, 404), ("a b", {}, 422)],
)
def test_what_cannot_be_put_is_refused(service: Served, path: str, fields: dict[str, Any], status: int) -> None:
    with Client(service.url, timeout=60) as client:
        with pytest.raises(ServiceError) as error:
            put(client, path, **fields)
        assert error.value.status == status
        assert client.streams() == []
