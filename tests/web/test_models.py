"""The models page: what cannot be used is said, another model is activated, one that nobody uses is deleted."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from model.checkpoint import bundled
from service.client import Client
from tests.web.looking import everybody_can_use, open_at
from tests.web.serving import Process

expect = pytest.importorskip("playwright.sync_api", reason="the browser is driven by playwright").expect


def test_a_model_is_activated_and_one_that_nobody_uses_deleted(page: Any, service: Process, client: Client) -> None:
    given = bundled().name.removesuffix(".safetensors")
    service.models.mkdir(exist_ok=True)
    shutil.copyfile(bundled(), service.models / "spare.safetensors")
    (service.models / "broken.safetensors").write_bytes(bundled().read_bytes()[:1000])

    open_at(page, service, "models")
    cards = {name: page.locator("li.card", has=page.get_by_role("heading", name=name)) for name in (given, "spare")}
    broken = page.locator("li.card", has=page.get_by_role("heading", name="broken"))
    broken.locator(".error").wait_for()
    expect(broken.get_by_role("button", name="Activate")).to_have_count(0)
    expect(cards[given].get_by_role("button", name=f"Delete {given}")).to_have_count(0)
    everybody_can_use(page)

    cards["spare"].get_by_role("button", name="Activate").click()
    cards["spare"].get_by_text("Active", exact=True).wait_for()
    assert client.version()["model"] == "spare"
    cards[given].get_by_role("button", name="Activate").click()
    cards[given].get_by_text("Active", exact=True).wait_for()

    broken.get_by_role("button", name="Delete broken").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert {one["name"] for one in client.models()} == {given, "spare", "broken"}
    for name, card in (("broken", broken), ("spare", cards["spare"])):
        card.get_by_role("button", name=f"Delete {name}").click()
        everybody_can_use(page)
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        page.get_by_text(f"{name} is deleted.").wait_for()
        expect(card).to_have_count(0)
    assert [one["name"] for one in client.models()] == [given]
    assert list(service.models.iterdir()) == []
