"""What tests of every page do: open it, and have axe-core look at it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.serving import Process

_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]}


def open_at(page: Any, service: Process, place: str) -> None:
    """Opens a page of the dashboard anew."""
    page.goto(f"{service.url}/#/{place}")
    page.reload()


def faults(page: Any, scheme: str) -> list[tuple[str, list[str]]]:
    """What keeps people from using the page as it is shown, in light or dark: rule, and the elements that break it."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core comes with the extra dev")
    page.emulate_media(color_scheme=scheme)
    found = axe.Axe().run(page, options=_RULES).response["violations"]
    serious = [fault for fault in found if fault["impact"] in ("serious", "critical")]
    return [(fault["id"], [node["html"][:200] for node in fault["nodes"]]) for fault in serious]


def everybody_can_use(page: Any) -> None:
    """The page as it is shown, in light and in dark."""
    assert {scheme: faults(page, scheme) for scheme in ("light", "dark")} == {"light": [], "dark": []}
