"""The dashboard as somebody uses it: a real service, a real browser."""

from __future__ import annotations

import csv
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from model.checkpoint import bundled
from service.client import Client
from tests.web.conftest import Complaints
from tests.web.looking import everybody_can_use, open_at
from tests.web.serving import Process

expect = pytest.importorskip("playwright.sync_api", reason="the browser is driven by playwright").expect
FIGURE = re.compile(r"^0\.\d\d$")
DEMO = bundled().with_name("demo.mp4")


def short_video(path: Path, frames: int) -> Path:
    """The begin of the demo's video."""
    with av.open(str(DEMO)) as source, av.open(str(path), "w") as target:
        shown = source.streams.video[0]
        stream = target.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = shown.width, shown.height, "yuv420p"
        for number, frame in enumerate(source.decode(shown)):
            if number == frames:
                break
            frame.pts, frame.time_base = number, Fraction(1, 10)
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return path


def test_a_first_visit_starts_the_demo_with_one_click(page: Any, service: Process, client: Client) -> None:
    for stream in client.streams():  # of tests before
        client.delete_stream(stream["id"], purge=True)
    page.goto(service.url)
    page.get_by_role("button", name="Start the demo stream").click()
    tile = page.locator("li.tile")
    tile.get_by_role("link", name="Demo street").wait_for()
    page.wait_for_selector("li.tile[data-picture=live]")
    expect(tile.locator(".figure")).to_have_text(FIGURE)
    expect(tile.locator(".chip.state")).to_have_text(re.compile("^(Normal|Anomalous|Warming up)$"))
    expect(tile.locator(".facts")).to_have_text(re.compile(r"^lag [\d.]+ s · \d+ dropped"))


def test_scores_move_and_the_picture_is_live(page: Any, service: Process, demo: str) -> None:
    open_at(page, service, f"streams/{demo}")
    page.wait_for_selector(".stage[data-picture=live]")
    readout = page.locator(".readout")
    expect(readout).to_contain_text("smoothed 0.")
    before = readout.text_content()
    expect(readout).not_to_have_text(before)
    page.get_by_label("Heat map").fill("30")
    assert page.evaluate("document.querySelector('.heat').style.opacity") == "0.3"


def test_a_threshold_is_tried_before_it_is_applied(page: Any, service: Process, client: Client, demo: str) -> None:
    open_at(page, service, f"streams/{demo}")
    expect(page.locator(".readout")).to_contain_text("smoothed")
    chart = page.locator("canvas.chart")
    chart.scroll_into_view_if_needed()
    before = client.stream(demo)["threshold"]
    box = chart.bounding_box()
    middle = box["y"] + 8 + (box["height"] - 30) / 2
    page.mouse.move(box["x"] + 300, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, middle + 60, steps=5)
    page.mouse.up()
    said = page.locator(".what-if")
    said.get_by_text("it would have flagged").wait_for()
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Leave as it is").click()
    assert said.text_content() == ""
    assert client.stream(demo)["threshold"] == before
    page.get_by_label("Threshold", exact=True).focus()
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Apply").click()
    page.get_by_text("from now on").wait_for()
    assert 0 < client.stream(demo)["threshold"] < before / 1.5


def test_an_event_comes_in_is_explained_and_labelled(page: Any, service: Process, client: Client, demo: str) -> None:
    client.change_stream(demo, threshold=0.8, cooldown=0)  # so low that people who walk are enough
    open_at(page, service, f"events?stream={demo}")
    page.locator("li.event a").first.click()
    page.get_by_role("heading", name=re.compile("Anomaly")).wait_for()
    id = int(page.url.rpartition("/")[2])
    page.get_by_role("button", name="False alarm").click()
    page.locator("button[aria-pressed=true]", has_text="False alarm").wait_for()
    assert [event["id"] for event in client.events(label="false")] == [id]
    page.get_by_role("link", name="the camera's page").wait_for()
    expect(page.locator(".readout")).to_contain_text("smoothed")
    client.change_stream(demo, threshold=None)
    with page.expect_download() as download:
        page.goto(f"{service.url}/#/events")
        page.get_by_role("link", name="Export as CSV").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert {row["label"] for row in rows if row["id"] == str(id)} == {"false"}


def test_a_region_is_drawn_by_keyboard(page: Any, service: Process, client: Client, demo: str) -> None:
    open_at(page, service, f"streams/{demo}")
    page.get_by_role("button", name="Edit the region").click()
    for moves in ((), ("ArrowRight",) * 15, ("ArrowDown",) * 15):
        for key in (*moves, "Enter"):
            page.keyboard.press(key)
    page.get_by_role("button", name="Save the region").click()
    page.get_by_text("Only the region is scored").wait_for()
    assert client.stream(demo)["options"]["mask"] == [[[0.5, 0.5], [0.8, 0.5], [0.8, 0.8]]]
    client.change_stream(demo, mask=[])


def test_a_video_is_uploaded_scored_and_its_table_downloaded(page: Any, service: Process, tmp_path: Path) -> None:
    open_at(page, service, "videos")
    page.set_input_files("#file", short_video(tmp_path / "gate.mp4", 30))
    page.get_by_role("heading", name="gate.mp4").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="scores.csv").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert len(rows) == 30
    expect(page.locator("video")).to_have_js_property("readyState", 4)
    page.locator("canvas.chart").focus()
    page.keyboard.press("Home")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("document.querySelector('video').currentTime") == pytest.approx(1.0, abs=0.11)
    everybody_can_use(page)


def test_a_dead_camera_says_why(page: Any, service: Process, client: Client) -> None:
    open_at(page, service, "cameras/new")
    page.get_by_label("Address").fill("rtsp://127.0.0.1:9/live")
    page.get_by_role("button", name="Test the camera").click()
    page.locator(".trial .error").get_by_text("refuses the connection").wait_for()
    page.get_by_label("Name").fill("Dock")
    page.get_by_role("button", name="Add the camera").click()
    page.get_by_role("heading", name="Dock").wait_for()
    page.locator(".reason", has_text="refuses the connection").wait_for()
    page.goto(f"{service.url}/#/")
    page.locator("li.tile", has_text="Dock").locator(".veil", has_text="No live picture").wait_for()


@pytest.mark.parametrize("place", ["", "streams/demo", "events", "videos", "models", "alerts", "cameras/new"])
def test_everybody_can_use_it(page: Any, service: Process, demo: str, place: str) -> None:
    open_at(page, service, place)
    page.locator("h1").wait_for()
    page.wait_for_load_state("networkidle") if not place.startswith("streams") else page.wait_for_timeout(500)
    everybody_can_use(page)


def test_a_restart_under_the_open_page_is_said_and_lived_through(
    page: Any, service: Process, demo: str, complaints: Complaints
) -> None:
    open_at(page, service, "")
    tile = "li.tile:has-text('Demo street')"
    page.wait_for_selector(f"{tile}[data-picture=live]")
    service.stop()
    page.get_by_role("alert").get_by_text("old").wait_for()
    page.wait_for_selector(f"{tile}[data-picture=old]")
    expect(page.locator(f"{tile} .figure")).to_have_text("–")  # at the page's next turn
    assert "Not live" in page.locator(f"{tile} .veil").text_content()
    service.start()
    page.wait_for_selector(f"{tile}[data-picture=live]")
    page.locator(".banner").wait_for(state="hidden")
    expect(page.locator(f"{tile} .figure")).to_have_text(FIGURE)
    complaints.forget_refusals()


def test_a_session_that_ends_under_the_open_page_loses_nothing(
    page: Any, service: Process, client: Client, demo: str, complaints: Complaints
) -> None:
    open_at(page, service, f"streams/{demo}")
    save = page.get_by_role("button", name="Save", exact=True)
    page.get_by_label("Name").fill("Main street")
    page.context.clear_cookies()
    page.get_by_role("heading", name="Log in again").wait_for()
    page.keyboard.press("Escape")
    everybody_can_use(page)
    page.get_by_label("Key", exact=True).fill(service.key)
    page.get_by_role("button", name="Log in").click()
    save.click()
    page.get_by_role("heading", name="Main street").wait_for()

    again = page.context.request.post(f"{service.url}/v1/session", data={"key": service.key})  # as another tab does
    assert again.ok
    page.get_by_label("Name").fill("Demo street")
    save.click()  # with the token of the session before, which this page knows
    page.get_by_role("heading", name="Demo street").wait_for()
    complaints.forget_refusals()
