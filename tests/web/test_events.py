"""Events in the browser: their clips, frame by frame, what people say of them, and who is told."""

from __future__ import annotations

import csv
import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from service.alerts.signing import verify
from service.client import Client
from tests.service.alerts.receiver import receiving
from tests.web.conftest import PATIENCE
from tests.web.looking import everybody_can_use, open_at
from tests.web.numbered import BELOW, BITS, BLOCK, INTERVAL, PLAY, READ, numbered, street
from tests.web.serving import CLIP_AFTER, CLIP_BEFORE, Process

expect = pytest.importorskip("playwright.sync_api", reason="the browser is driven by playwright").expect
START = 1_750_000_000.0
STILL, MOVING, ALL = 30, 42, 66
"""Numbers of the first picture that moves, and of the first that stands again; and how many there are."""


def make_odd(client: Client, id: str) -> None:
    """A stream for which everything that moves below the numbers is an event."""
    client.create_stream(id=id, policy="every", threshold=1e-6, minimum=0, smoothing=0, mask=BELOW)


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_an_event_comes_in_its_clip_plays_and_shows_every_frame_of_its_span(
    page: Any, service: Process, client: Client
) -> None:
    said: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: said.append(str(data))))
    make_odd(client, "gate")
    open_at(page, service, "events?stream=gate")
    page.get_by_text("No event is so.").wait_for()
    scene = street()
    with client.ingest("gate", header=True) as sender:
        for number in range(ALL):
            if number == STILL + 5:  # in the midst of it
                page.locator("li.event a").click()
                page.get_by_text("The clip is being written; it shows up here.").wait_for()
            picture = numbered(scene, number, moving=STILL <= number < MOVING)
            sender.send(picture, captured=START + number * INTERVAL, number=number)
        list(sender.finish())
    video = page.locator("video")
    video.wait_for(timeout=3 * PATIENCE)  # the child that encodes steps back behind everything else
    assert any('"event.files"' in one for one in said), "the page was told, it did not ask"
    id = int(page.url.rpartition("/")[2])
    event = client.request("GET", f"/v1/events/{id}").json()
    began, ended = seconds(event["started"]) - CLIP_BEFORE, seconds(event["ended"]) + CLIP_AFTER
    expected = [n for n in range(ALL) if began - 0.001 <= START + n * INTERVAL <= ended + 0.001]
    assert STILL <= event["peak_frame"] <= MOVING
    assert expected[0] == round((seconds(event["started"]) - CLIP_BEFORE - START) / INTERVAL)
    assert len(expected) >= (CLIP_BEFORE + CLIP_AFTER) / INTERVAL + MOVING - STILL

    video.evaluate(PLAY, 0.5)
    assert video.evaluate("video => video.error") is None
    assert video.evaluate("video => video.duration") == pytest.approx(len(expected) * INTERVAL, abs=INTERVAL + 0.01)
    times = [(place + 0.5) * INTERVAL for place in range(len(expected))]
    shown = video.evaluate(
        f"(video, how) => ({READ})({{video, ...how}})",
        {"times": times, "bits": BITS, "block": BLOCK, "interval": INTERVAL},
    )
    assert shown == expected
    assert event["peak_frame"] in shown

    page.get_by_role("button", name="True alarm").click()
    page.locator("button[aria-pressed=true]", has_text="True alarm").wait_for()
    everybody_can_use(page)
    page.goto(f"{service.url}/#/events?stream=gate")
    page.get_by_label("Label").select_option("true")
    page.locator("li.event", has_text="True alarm").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as CSV").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert [(row["id"], row["stream"], row["label"]) for row in rows] == [(str(id), "gate", "true")]


def test_somebody_is_told_or_it_is_listed_and_sent_again(page: Any, service: Process, client: Client) -> None:
    make_odd(client, "yard")
    open_at(page, service, "alerts")
    with receiving() as receiver:
        page.get_by_text("Add a webhook", exact=True).click()
        page.get_by_label("Name").fill("Control room")
        page.get_by_label("Address").fill(receiver.url)
        page.get_by_label("About").select_option("yard")
        page.get_by_role("button", name="Add", exact=True).click()
        made = page.get_by_text("Its secret, shown this once:")
        secret = re.sub(r".*: ", "", made.text_content())
        hook = page.locator("li.event", has_text="Control room")
        hook.get_by_role("button", name="Test").click()
        hook.get_by_text("The test has arrived.").wait_for()
        ((headers, body),) = receiver.got
        assert verify(secret, body, headers["framewatch-signature"], time.time())
        receiver.status = 410  # gone for good: a message is not tried again
        scene = street()
        with client.ingest("yard", header=True) as sender:
            for number in range(20):
                sender.send(numbered(scene, number, moving=number > 10), captured=START + number * INTERVAL)
            list(sender.finish())
        dead = page.locator("li.event", has_text="event.opened")
        dead.get_by_text("the receiver answered 410").wait_for()
        closed = page.locator("li.event", has_text="event.closed")
        closed.get_by_text("the receiver answered 410").wait_for()  # or it would come to the receiver that is back
        everybody_can_use(page)
        port = receiver.port
    hook.get_by_role("button", name="Test").click()
    hook.get_by_text("The test has not arrived: the receiver refuses the connection").wait_for()
    with receiving(port) as back:
        dead.get_by_role("button", name="Send again").click()
        page.get_by_label("Which messages").select_option("sent")
        dead.get_by_text("Sent").wait_for()
    assert back.keys == [receiver.keys[1]], "the receiver can tell that it is the same message"
    assert [one["type"] for one in receiver.said[:2]] == ["test", "event.opened"]


def test_whoever_comes_back_from_an_event_finds_the_list_as_it_was_left(page: Any, service: Process) -> None:
    sample = {"stream": "gate", "started": "2025-06-15T15:06:40Z", "peaked": "2025-06-15T15:06:41Z", "peak": 0.7}
    sample |= {"ended": "2025-06-15T15:06:43Z", "label": None, "kind": "anomaly", "reason": "", "muted": False}
    sample |= {"snapshot": None, "heatmap": None, "heat": None, "clip": None, "clip_state": "none", "peak_frame": 9}

    def answer(route: Any) -> None:
        asked = parse_qs(urlsplit(route.request.url).query)
        newest, limit = int(asked.get("cursor", ["120"])[0]), int(asked["limit"][0])
        ids = range(newest, max(0, newest - limit), -1)
        following = str(ids[-1] - 1) if ids[-1] > 1 else None
        route.fulfill(json={"events": [{"id": id, **sample} for id in ids], "next": following})

    page.route("**/v1/events?*", answer)
    page.route("**/v1/events/*", lambda route: route.fulfill(json={"id": 40, **sample}))
    page.route("**/timeline?*", lambda route: route.fulfill(json={"time": []}))
    open_at(page, service, "events?label=none")
    more = page.get_by_role("button", name="Earlier ones")
    rows = page.locator("li.event a")
    for count, first in ((100, 70), (120, 20)):  # then the button is gone, and the keyboard is not lost
        more.press("Enter")
        expect(rows).to_have_count(count)
        expect(page.locator(f"a[href='#/events/{first}']")).to_be_focused()
    page.locator("a[href='#/events/40']").click()
    page.get_by_role("heading", name=re.compile("2025")).wait_for()
    page.go_back()
    expect(page.locator("a[href='#/events/40']")).to_be_focused()
    expect(rows).to_have_count(120)
