"""The dashboard's files, and what its charts ask for, on real sockets. What they do in a browser: `tests/web`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from service.client import Client
from tests.e2e.serving import Served
from tests.model.detectors import INTERVAL, pictures
from tests.service.live import png


@pytest.fixture(scope="module")
def changes() -> dict[str, Any]:
    return {"root_path": "/cameras"}


@pytest.fixture
def browser(service: Served) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=service.url, timeout=60) as one:
        yield one


def assets(page: str) -> list[str]:
    return re.findall(r'(?:href|src)="([^"]+)"', page)


def test_the_page_lets_the_browser_fetch_and_run_nothing_but_its_own_files(browser: httpx2.Client) -> None:
    answer = browser.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy and "http" not in policy
    assert "<style" not in answer.text and not re.search(r"<script[^>]*>[^<]", answer.text)
    assert answer.headers["cache-control"] == "no-cache"
    assert browser.get("/", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("page", ["/", "/cameras/"])
def test_every_address_in_the_page_is_relative_and_leads_to_a_file_that_may_be_kept(
    browser: httpx2.Client, page: str
) -> None:
    found = assets(browser.get(page).text)
    assert any(name.endswith("/main.js") for name in found)
    for name in found:
        answer = browser.get(page + name)
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"], name


@pytest.mark.parametrize("name", ["assets/0123456789abcdef/main.js", "assets/0123456789abcdef/index.html"])
def test_files_of_another_version_are_not_there(browser: httpx2.Client, name: str) -> None:
    assert browser.get(f"/{name}").status_code == 404


def test_a_page_that_is_asked_for_without_its_slash_is_sent_on(browser: httpx2.Client) -> None:
    assert browser.get("/cameras", follow_redirects=False).headers["location"].endswith("/cameras/")


def test_a_timeline_keeps_the_highest_scores_in_few_points(service: Served, browser: httpx2.Client) -> None:
    with Client(service.url, timeout=120) as client:
        client.create_stream(id="gate", policy="every")
        with client.ingest("gate", header=True) as sender:
            for n, image in enumerate(pictures(30)):
                sender.send(png(image), captured=1.7e9 + n * INTERVAL)
            list(sender.finish())
        scores = list(client.scores("gate"))
    path = "/v1/streams/gate/timeline"
    whole = browser.get(path, params={"seconds": 60, "points": 5000}).json()
    assert len(whole["time"]) == len(scores) == 30
    few = browser.get(path, params={"start": 1.7e9, "end": 1.7e9 + 30 * INTERVAL, "points": 5}).json()
    assert len(few["time"]) == 5
    assert few["time"] == sorted(few["time"])
    highest = max(score["raw"] for score in scores if score["raw"] is not None)
    assert max(raw for raw in few["raw"] if raw is not None) == highest
    assert {len(column) for column in few.values()} == {5}
    empty = browser.get(path, params={"start": 1.0, "end": 2.0}).json()
    assert empty["time"] == []


@pytest.mark.parametrize("span", [{"start": 1.0}, {"start": 2.0, "end": 1.0}, {"start": 0, "end": 1e9}])
def test_a_span_that_is_none_is_refused(browser: httpx2.Client, span: dict[str, float]) -> None:
    answer = browser.get("/v1/streams/gate/timeline", params=span)
    assert answer.status_code == 422 and "end" in answer.json()["detail"]
