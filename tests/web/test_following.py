"""The page follows what happens elsewhere, and what lies over a picture lies where it belongs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from service.client import Client
from tests.web.looking import open_at
from tests.web.numbered import INTERVAL, numbered, street
from tests.web.serving import Process

expect = pytest.importorskip("playwright.sync_api", reason="the browser is driven by playwright").expect

BOXES = """() => ["canvas.picture", "canvas.heat", "svg.mask"].map((one) => {
  const element = document.querySelector(one);
  const box = element.getBoundingClientRect();
  const { objectFit } = getComputedStyle(element);
  return [objectFit === "contain" ? element.width / element.height : box.width / box.height,
          box.width / box.height, box.left, box.top];
})"""
"""Of the picture and what is over it: its own shape, that of its place, and where that is."""

KEPT = """async () => {
  const address = performance.getEntriesByType("resource").find((one) => /rows[^/]*js/.test(one.name)).name;
  const { Rows } = await import(address);
  const list = document.createElement("ul");
  document.body.append(list);
  const make = ({ id, text }) => {
    const element = document.createElement("li");
    element.innerHTML = `<button>${id} ${text}</button>`;
    return { element };
  };
  const rows = new Rows(list, { key: (item) => item.id, make });
  const said = () => [...list.children].map((row) => row.textContent).join();
  const found = [];
  rows.show([{ id: 2, text: "b" }, { id: 1, text: "a" }]);
  const first = list.children[1];
  first.firstChild.focus();
  rows.show([{ id: 3, text: "c" }, { id: 2, text: "d" }, { id: 1, text: "a" }]);
  found.push(said(), list.children[2] === first, document.activeElement.textContent);
  rows.show([{ id: 3, text: "c" }, { id: 1, text: "e" }]);
  found.push(said(), document.activeElement.textContent);
  rows.show([]);
  found.push(said());
  list.remove();
  return found;
}"""
"""What a list shows, and where the keyboard is, while its rows come, change and go."""


IN_ORDER = """async (names) => {
  const address = performance.getEntriesByType("resource").find((one) => /[/]camera[^/]*js/.test(one.name)).name;
  const { byName } = await import(address);
  return names.map((name) => ({ view: { name } })).sort(byName).map((camera) => camera.view.name);
}"""
"""Names of cameras as they stand on the wall."""


@contextmanager
def sending(client: Client, id: str) -> Iterator[None]:
    """A stream that gets frames all the time, a tenth of a second apart by their stamps, until the block ends."""
    ended, began = threading.Event(), time.time()
    picture = numbered(street(), 0, moving=False)

    def send() -> None:
        with client.ingest(id, header=True, scores=False) as sender:
            number = 0
            while not ended.wait(INTERVAL):
                sender.send(picture, captured=began + INTERVAL * number, number=number)
                number += 1
            list(sender.finish())

    thread = threading.Thread(target=send, name="sender")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(60)


def test_a_camera_that_was_added_elsewhere_comes_in_while_its_scores_do(
    page: Any, service: Process, client: Client, demo: str
) -> None:
    open_at(page, service, "")
    page.locator("li.tile", has_text="Demo street").wait_for()
    client.create_stream(id="lane", name="Lane " + "behind the houses " * 8, policy="every")
    with sending(client, "lane"):
        tile = page.locator("li.tile", has_text="Lane")
        tile.wait_for()
        expect(tile.locator(".figure")).not_to_have_text("–")
        whole, figure = tile.bounding_box(), tile.locator(".figure").bounding_box()
        assert figure["x"] + figure["width"] <= whole["x"] + whole["width"], "a long name leaves the score in view"
        page.goto("about:blank")
    client.delete_stream("lane", purge=True)


def test_settings_follow_what_is_set_elsewhere_and_send_only_what_was_changed_here(
    page: Any, service: Process, client: Client, demo: str
) -> None:
    open_at(page, service, f"streams/{demo}")
    page.get_by_label("Name").fill("Main street")
    client.change_stream(demo, smoothing=2.5, cooldown=7)
    expect(page.get_by_label("Smoothing, seconds")).to_have_value("2.5")
    expect(page.get_by_label("Name")).to_have_value("Main street")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("heading", name="Main street").wait_for()
    found = client.stream(demo)
    assert (found["name"], found["options"]["smoothing"], found["options"]["cooldown"]) == ("Main street", 2.5, 7)
    client.change_stream(demo, name="Demo street", smoothing=None, cooldown=None)
    expect(page).to_have_title("Demo street · framewatch")


def test_the_region_and_the_heat_lie_on_the_picture_in_a_low_window(
    page: Any, service: Process, client: Client, demo: str
) -> None:
    page.set_viewport_size({"width": 1280, "height": 500})
    open_at(page, service, f"streams/{demo}")
    page.wait_for_selector(".stage[data-picture=live]")
    page.locator("svg.mask").wait_for(state="attached")
    picture, *over = page.evaluate(BOXES)
    assert picture[0] == pytest.approx(picture[1], rel=0.01)
    assert over == [[pytest.approx(picture[1], rel=0.01), *(pytest.approx(one, rel=0.01) for one in picture[1:])]] * 2


def test_a_browser_whose_clock_is_wrong_and_that_keeps_nothing_shows_what_is(
    page: Any, service: Process, client: Client, demo: str
) -> None:
    page.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no'); }})")
    page.clock.install(time=time.time() + 3600)
    open_at(page, service, f"streams/{demo}")
    page.get_by_role("button", name="15 min", exact=True).last.click()
    page.get_by_text("Muted until").wait_for()
    page.get_by_role("button", name="Unmute").click()
    page.get_by_text("Events are recorded meanwhile").wait_for()
    assert client.stream(demo)["options"]["muted_until"] is None


def test_rows_stay_while_what_they_say_does_and_cameras_stand_in_their_order(page: Any, service: Process) -> None:
    open_at(page, service, "events")
    page.get_by_role("heading", name="Events").wait_for()
    assert page.evaluate(IN_ORDER, ["Gate 10", "Gate 2", "attic"]) == ["attic", "Gate 2", "Gate 10"]
    assert page.evaluate(KEPT) == ["3 c,2 d,1 a", True, "1 a", "3 c,1 e", "1 e", ""]


def test_an_address_that_is_none_is_said(page: Any, service: Process) -> None:
    open_at(page, service, "streams/%E0%A4%A")
    page.get_by_text("There is no such page.").wait_for()
