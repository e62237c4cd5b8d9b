"""HEAD is answered wherever GET is, and a refusal names all methods that a path has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from service.client import Client
from tests.e2e.given import send
from tests.e2e.serving import Served
from tests.model.drawn import write_video


@pytest.fixture
def http(service: Served) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=service.url, timeout=60) as one:
        yield one


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/docs",
        "/docs/assets/favicon.png",
        "/openapi.json",
        "/healthz",
        "/metrics",
        "/v1/streams",
        "/v1/events.csv",
    ],
)
def test_head_is_what_get_would_say_without_its_body(http: httpx2.Client, path: str) -> None:
    got, asked = http.get(path), http.head(path)
    assert (got.status_code, asked.status_code, asked.content) == (200, 200, b"")
    assert asked.headers["content-type"] == got.headers["content-type"]
    if path not in ("/metrics", "/v1/streams"):  # which change meanwhile
        assert asked.headers.get("content-length") == got.headers.get("content-length")


def test_head_of_a_table_or_an_event_stream_ends(http: httpx2.Client, client: Client, tmp_path: Path) -> None:
    id = client.wait_for_job(client.put_video(write_video(tmp_path / "v.mp4", 12))["id"])["id"]
    for path in (f"/v1/jobs/{id}/scores", f"/v1/jobs/{id}/scores.csv", "/v1/scores/sse"):
        for _ in range(2):  # also on the connection of the one before
            asked = http.head(path)
            assert (asked.status_code, asked.content) == (200, b"")
    assert http.get("/healthz").json() == {"status": "alive"}


@pytest.mark.parametrize(
    ("path", "status", "methods"),
    [
        ("/v1/streams", 405, "GET, HEAD, POST"),
        ("/v1/streams/gate", 405, "GET, HEAD, PUT, PATCH, DELETE"),
        ("/v1/tickets", 405, "POST"),
        ("/docs/assets/favicon.png", 405, "GET, HEAD"),
        ("/nowhere", 404, None),
    ],
)
def test_a_refused_method_names_all_that_there_are(
    http: httpx2.Client, path: str, status: int, methods: str | None
) -> None:
    answer = http.request("PROPFIND", path)
    assert (answer.status_code, answer.headers.get("allow")) == (status, methods)
    assert answer.headers["content-type"] == "application/problem+json"


def test_head_is_refused_where_get_is(http: httpx2.Client) -> None:
    assert (http.head("/v1/streams/none").status_code, http.head("/v1/tickets").status_code) == (404, 405)


@pytest.mark.parametrize(("part", "status"), [("bytes=999999999-", 416), ("bytes=a-b", 400)])
def test_a_part_that_a_file_does_not_have_is_a_problem(
    http: httpx2.Client, client: Client, part: str, status: int
) -> None:
    client.create_stream(id="gate", policy="every", threshold=1e-6, minimum=0)
    send(client, "gate")
    (event,) = client.events(stream="gate")
    answer = http.get(f"/v1/events/{event['id']}/snapshot.jpg", headers={"Range": part})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["detail"]
    assert answer.headers["x-request-id"]
    assert ("content-range" in answer.headers) is (status == 416)
