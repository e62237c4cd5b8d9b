"""Pictures of the dashboard for docs/img, from a service that runs: `python -m bench.screenshots http://127.0.0.1:8000`.

Give it a service of its own with the demo's model, no keys and `--camera-network 127.0.0.0/8`; it adds the demo stream,
a camera that is not there and a video, and waits for an event with its clip.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import time
from pathlib import Path
from typing import Any

from model.checkpoint import bundled
from service.client import Client

FOLDER = Path("docs/img")
LIGHT_DESKTOP, DARK_DESKTOP, LIGHT_PHONE, DARK_PHONE = (
    ("light", (1280, 800)),
    ("dark", (1280, 800)),
    ("light", (390, 844)),
    ("dark", (390, 844)),
)
LOOKS = (LIGHT_DESKTOP, DARK_DESKTOP, LIGHT_PHONE, DARK_PHONE)
LARGEST = 150_000
"""Bytes of a picture."""

WAIT = 600.0
"""Seconds for an event of the demo and its clip."""


def furnish(url: str) -> dict[str, str]:
    """Gives a service something to show; gives the pages by the name of their picture."""
    with Client(url, timeout=60) as client:
        demo = client.create_demo()["id"]
        if not any(stream["id"] == "dock" for stream in client.streams()):
            client.create_stream(id="dock", name="Dock 4", source="rtsp://127.0.0.1:9/live")
        jobs = list(client.jobs())
        job = jobs[0] if jobs else client.put_video(bundled().with_name("demo.mp4"))
        until = time.monotonic() + WAIT
        while True:
            ready = [event for event in client.events(stream=demo) if event.get("clip_state") == "ready"]
            if ready and client.job(job["id"])["state"] == "done":
                break
            if time.monotonic() > until:
                raise SystemExit(f"no event of the demo has a clip after {WAIT:.0f} s")
            time.sleep(2)
    highest = max(ready, key=lambda event: event["peak"])
    return {
        "wall": "",
        "stream": f"streams/{demo}",
        "events": "events",
        "event": f"events/{highest['id']}",
        "videos": "videos",
        "video": f"videos/{job['id']}",
        "models": "models",
        "alerts": "alerts",
        "add-camera": "cameras/new",
    }


def shoot(page: Any, url: str, place: str, path: Path) -> None:
    """Takes a picture of a page, of a quality at which it is small enough."""
    page.goto(f"{url}/#/{place}")
    page.reload()
    page.locator("h1").wait_for()
    page.wait_for_timeout(4000 if place in ("", "events") or "/" in place else 1500)
    for quality in (82, 70, 55, 40):
        page.screenshot(path=path, type="jpeg", quality=quality)
        if path.stat().st_size < LARGEST:
            return
    raise SystemExit(f"{path} is larger than {LARGEST} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="of the service")
    parser.add_argument("--page", action="append", help="only these")
    chosen = parser.parse_args()
    url = chosen.url.rstrip("/")
    FOLDER.mkdir(parents=True, exist_ok=True)
    pages = {name: place for name, place in furnish(url).items() if not chosen.page or name in chosen.page}
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"]
    with importlib.import_module("playwright.sync_api").sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        for scheme, (width, height) in LOOKS:
            context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
            page = context.new_page()
            page.set_default_timeout(120_000)
            for name, place in pages.items():
                device = "phone" if width < 600 else "desktop"
                shoot(page, url, place, FOLDER / f"{name}-{device}-{scheme}.jpg")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
