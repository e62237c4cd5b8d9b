"""A camera is learned in the browser, behind a proxy that shows the service at a path, across a restart."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest

from tests.e2e.hurried import ENDLESS, hurried
from tests.e2e.serving import served
from tests.training.drawn import write_moving_video
from tests.web.conftest import PATIENCE, Complaints
from tests.web.looking import everybody_can_use
from tests.web.proxy import proxied

expect = pytest.importorskip("playwright.sync_api", reason="the browser is driven by playwright").expect


class Bare:
    """A service without any model that can be restarted, and a proxy that shows it at /watch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "data"
        (self._folder / "models").mkdir(parents=True)
        self._sources = {"yard": write_moving_video(folder / "yard.mp4", 120)}
        self._running = ExitStack()
        self._proxies = ExitStack()

    def __enter__(self) -> Self:
        self._proxies.enter_context(hurried())
        self.proxy = self._proxies.enter_context(proxied("/watch"))
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._proxies.close()

    def start(self) -> None:
        """Starts it, at another port; the proxy knows."""
        settings: dict[str, Any] = {"model": None, "sources": self._sources, "root_path": "/watch"}
        self.service = self._running.enter_context(served(self._folder, **settings))
        self.proxy.target = int(self.service.url.rpartition(":")[2])

    def stop(self) -> None:
        self._running.close()


def test_a_new_camera_is_added_shown_and_learned_across_a_restart(chromium: Any, tmp_path: Path) -> None:
    with Bare(tmp_path) as bare:
        bare.service.monitor.learner.choices = ENDLESS  # it is at it when the service is restarted
        context = chromium.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        complaints = Complaints()
        complaints.watch(page, bare.proxy.url)

        page.goto(f"{bare.proxy.url}/")
        page.locator(".card.first").get_by_role("link", name="Add a camera").click()
        page.get_by_text("none yet: learn this camera first").wait_for(state="attached")
        page.get_by_label("Address").fill("yard")
        page.get_by_label("Name").fill("Back yard")
        page.get_by_label("Id", exact=True).fill("yard")
        page.get_by_label("A file: begin anew at its end").check()
        page.get_by_role("button", name="Add the camera").click()
        page.get_by_role("heading", name="Back yard").wait_for()
        page.locator(".reason", has_text="no model: learn this camera").wait_for()
        page.wait_for_selector(".stage[data-picture=live]")
        page.locator("main > div > .first-thing").get_by_label("Minutes").fill("0.12")
        page.get_by_role("button", name="Learn", exact=True).click()
        page.get_by_text("Records normal footage").wait_for()
        page.get_by_text("Trains").wait_for()

        bare.stop()
        page.get_by_role("alert").get_by_text("old").wait_for()
        bare.start()
        page.locator(".banner").wait_for(state="hidden")
        complaints.forget_refusals()
        page.get_by_text(re.compile("^(Trains|Ready)")).wait_for()
        page.get_by_role("button", name="Use this model here").wait_for(timeout=4 * PATIENCE)
        expect(page.get_by_label("Report of the training")).to_contain_text("1 false alarm an hour")
        everybody_can_use(page)

        page.get_by_role("button", name="Use this model here").click()
        smoothed = page.locator("dl.pairs div", has_text="Smoothed").locator("dd")
        expect(smoothed).to_have_text(re.compile(r"^0\.\d+$"))
        expect(smoothed).not_to_have_text(smoothed.inner_text())
        assert complaints == []
        context.close()
