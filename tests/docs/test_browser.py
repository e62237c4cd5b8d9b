"""The JavaScript of the pages, in a real browser against a real service: frames go in, scores come out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bench.browser import OPTIONS
from service.client import Client
from tests.docs.pages import DOCS, README, blocks
from tests.docs.running import Surroundings
from tests.e2e.serving import Served
from tests.waiting import wait_for
from tests.web.conftest import CHROMIUM, PATIENCE

DRAW = """() => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [96, 64];
  const paint = canvas.getContext("2d");
  let at = 0;
  setInterval(() => {
    paint.fillStyle = "grey";
    paint.fillRect(0, 0, 96, 64);
    paint.fillStyle = "white";
    paint.fillRect(at++ % 80, 20, 16, 24);
  }, 50);
  document.body.append(canvas);
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip("there is no chromium: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
    with playwright.sync_playwright() as driver:
        one = driver.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS])
        yield one
        one.close()


@pytest.fixture
def page(browser: Any, service: Served) -> Iterator[Any]:
    """An empty page of the service with a canvas on which something moves."""
    context = browser.new_context()
    shown = context.new_page()
    shown.set_default_timeout(PATIENCE)
    shown.goto(f"{service.url}/healthz")
    shown.evaluate(DRAW)
    yield shown
    context.close()


def said(page: Any) -> list[list[str]]:
    """The lines of three words that a page prints: frame, smoothed, state."""
    lines: list[list[str]] = []

    def keep(message: Any) -> None:
        words = message.text.split()
        if len(words) == 3:
            lines.append(words)

    page.on("console", keep)
    return lines


def until_scored(page: Any, lines: list[list[str]], count: int = 3) -> None:
    for _ in range(PATIENCE // 100):
        if len(lines) >= count:
            break
        page.wait_for_timeout(100)
    assert len(lines) >= count
    assert {state for _, _, state in lines} <= {"warming", "normal", "anomalous"}
    assert [int(frame) for frame, _, _ in lines] == sorted({int(frame) for frame, _, _ in lines})


def test_the_readme_sends_a_canvas_and_prints_its_scores(page: Any, place: Surroundings, service: Served) -> None:
    (block,) = blocks(README, "js")
    with Client(service.url) as client:
        client.create_stream(id="gate", policy="every")
        lines = said(page)
        page.evaluate(f"() => {{ {place.here(block.text)} }}")
        until_scored(page, lines)
        assert client.stream("gate")["frames"] >= 3


def test_the_page_s_blocks_send_to_the_end_and_follow(page: Any, place: Surroundings, service: Served) -> None:
    push, follow = (place.here(block.text) for block in blocks(DOCS / "websockets.md", "js"))
    with Client(service.url) as client:
        client.create_stream(id="gate", policy="every")
        lines = said(page)
        followed = page.evaluate(
            f"""async () => {{
              {push}
              {follow}
              const heard = [];
              const source = follow(location.origin, (score) => heard.push(score.seq));
              await new Promise((resolve) => {{ source.onopen = resolve; }});
              await push(location.origin, "gate", document.querySelector("canvas"), 1);
              while (heard.length < 1) await new Promise((resolve) => setTimeout(resolve, 50));
              source.close();
              return heard;
            }}"""
        )
        until_scored(page, lines, 1)
        assert followed == list(range(followed[0], followed[0] + len(followed)))
        wait_for(lambda: client.stream("gate")["health"] == "ended")
