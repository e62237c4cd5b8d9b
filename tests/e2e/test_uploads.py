"""Uploads that are sent again, that are another's under the same name, and whose job fails while somebody waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.auth import mint
from service.client import Client, ServiceError
from service.problems import Problem
from service.store import KeyFile
from tests.e2e.given import footage
from tests.e2e.serving import Served, served
from tests.model.drawn import write_video

Send = Callable[..., dict[str, Any]]


@pytest.fixture(params=["form", "body"])
def send(client: Client, request: pytest.FixtureRequest) -> Send:
    """Uploads a file with the name of this test, in one of both ways."""

    def by(path: Path, **options: Any) -> dict[str, Any]:
        named = {"request": request.node.nodeid.replace(" ", ""), **options}
        return client.post_videos([path], **named) if request.param == "form" else client.put_video(path, **named)

    return by


def other(path: Path) -> Path:
    """Another video of that name."""
    (path.parent / "other").mkdir()
    return write_video(path.parent / "other" / path.name, 14)


def test_what_is_sent_again_is_hashed_and_not_kept(
    send: Send, service: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "v.mp4", 12)
    id = send(path, smooth="gaussian:1")["id"]
    monkeypatch.setattr(service.monitor.jobs, "admit", lambda expected: pytest.fail("a repeat needs no room"))
    assert send(path, smooth="gaussian:1")["id"] == id


@pytest.mark.parametrize("what", ["content", "name", "option"])
def test_a_name_that_was_used_for_another_upload_is_refused(send: Send, tmp_path: Path, what: str) -> None:
    path = write_video(tmp_path / "v.mp4", 12)
    id = send(path)["id"]
    again = {
        "content": lambda: send(other(path)),
        "name": lambda: send(path.rename(tmp_path / "w.mp4")),
        "option": lambda: send(path, align="centre"),
    }
    with pytest.raises(ServiceError, match="was used for another request") as error:
        again[what]()
    assert error.value.status == 422
    if what != "name":
        assert send(path)["id"] == id  # it still stands for the first


def test_an_upload_that_an_earlier_version_has_remembered_is_found(
    client: Client, service: Served, tmp_path: Path
) -> None:
    path = write_video(tmp_path / "v.mp4", 12)
    id = client.put_video(path)["id"]
    service.monitor.store.requests.put(("", "videos", "old"), "", id)
    assert client.put_video(path, request="old")["id"] == id


def test_whoever_waits_for_a_job_that_fails_is_told_why(client: Client, service: Served, tmp_path: Path) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"\0\0\0\x20ftypisom" + bytes(5000))
    with pytest.raises(ServiceError, match=r"job \w+ failed: ") as error:
        client.post_videos([path], wait=True)
    assert error.value.status == 422
    with path.open("rb") as file:
        answer = httpx2.put(f"{service.url}/v1/videos/broken.mp4", params={"wait": True}, content=file, timeout=60)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    job = httpx2.get(service.url + answer.headers["location"]).json()
    assert job["state"] == "failed"
    assert job["error"] in answer.json()["detail"]


def test_whoever_waits_for_a_job_that_is_cancelled_is_told_so(
    client: Client, service: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = service.monitor.jobs.wait

    async def cancelled(id: str, seconds: float) -> Any:
        service.monitor.jobs.remove(id)
        return await wait(id, seconds)

    monkeypatch.setattr(service.monitor.jobs, "wait", cancelled)
    with pytest.raises(ServiceError, match="is cancelled") as error:
        client.post_videos([footage(tmp_path, 400)], wait=True)
    assert error.value.status == 409


def test_an_upload_is_remembered_though_its_job_is_deleted_while_somebody_waits(
    client: Client, service: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(id: str, seconds: float) -> Any:
        raise Problem(404, "there is no such job")

    monkeypatch.setattr(service.monitor.jobs, "wait", gone)
    with pytest.raises(ServiceError, match="404"):
        client.post_videos([write_video(tmp_path / "v.mp4", 12)], wait=True, request="deleted")
    assert service.monitor.store.requests.find(("", "videos", "deleted")) is not None


def test_whoever_may_only_upload_gets_the_scores_in_the_answer_and_looks_at_nothing_later(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", 12)
    with served(tmp_path / "data", auth="on") as running:
        key, record = mint("uploader", ("ingest",), time.time())
        with KeyFile(running.monitor.settings.data_dir) as keys:
            keys.put(record)
        running.monitor.access._read_at = float("-inf")
        with Client(running.url, key=key, timeout=120) as uploader:
            found = uploader.post_videos([path], wait=True)
            assert len(found["scores"]) == 12
            with pytest.raises(ServiceError, match="has the scopes ingest") as error:
                uploader.job_scores(found["job"]["id"])
        assert error.value.status == 403
