"""A browser on a service: Debian's chromium, driven by Playwright. Without both the tests are skipped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.browser import OPTIONS
from service.client import Client
from tests.web.serving import Process

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
PATIENCE = 60_000
"""Milliseconds: nothing here is about speed."""


class Complaints(list[str]):
    """What a browser had to say against a page, and what the page asked other hosts for."""

    def watch(self, page: Any, url: str) -> None:
        """Listens to a page that may ask only `url`."""

        def said(message: Any) -> None:
            if message.type in ("error", "warning"):
                self.append(message.text)

        def asked(request: Any) -> None:
            if not request.url.startswith((url, "blob:")):
                self.append(f"asked {request.url}")

        page.on("console", said)
        page.on("pageerror", lambda error: self.append(str(error)))
        page.on("request", asked)

    def forget_refusals(self) -> None:
        """A browser reports requests that were refused or not answered, and nothing else was to be expected."""
        assert all("Failed to load" in said or "WebSocket" in said for said in self)
        self.clear()


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Process]:
    running = Process(tmp_path_factory.mktemp("data"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def client(service: Process) -> Iterator[Client]:
    with service.client() as one:
        yield one


@pytest.fixture
def demo(client: Client) -> str:
    """Id of the demo stream, which is there."""
    return str(client.create_demo()["id"])


@pytest.fixture(scope="package")
def chromium() -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip("there is no chromium: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
    playwright.expect.set_options(timeout=PATIENCE)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def login(service: Process, chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs in once, by the form; gives the file of cookies that every page begins with."""
    kept = tmp_path_factory.mktemp("login") / "state.json"
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    complaints = Complaints()
    complaints.watch(page, service.url)
    page.goto(service.url)
    page.get_by_label("Key").fill("fw_not_a_key")
    assert complaints == []  # that nobody is logged in is no error
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("This key is not valid.").wait_for()
    page.get_by_label("Key").fill(service.key)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Cameras").wait_for()
    context.storage_state(path=kept)
    context.close()
    return kept


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def page(service: Process, chromium: Any, login: Path, complaints: Complaints) -> Iterator[Any]:
    """A page that is logged in. A test in which a complaint is to be expected clears them."""
    context = chromium.new_context(storage_state=str(login), viewport={"width": 1280, "height": 900})
    shown = context.new_page()
    shown.set_default_timeout(PATIENCE)
    complaints.watch(shown, service.url)
    yield shown
    context.close()
    assert complaints == []
