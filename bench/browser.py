"""Debian's chromium as a person has it open: with nobody attached to it while it is measured."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from bench.running import cpu_seconds, descendants

OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
"""Of a browser that has no graphics card, and asks nobody but the service."""


def chromium() -> str:
    """Where it is.

    Raises:
        SystemExit: nowhere.
    """
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        raise SystemExit("there is no chromium: apt-get install chromium")
    return found


class Browser:
    """A browser of its own, with an empty page and no window, which draws all by software."""

    def __init__(self, folder: Path, *, width: int, height: int) -> None:
        """Starts it.

        Args:
            folder: for its profile; made.
            width, height: of the page, pixels.
        """
        self._folder = folder
        own = (f"--user-data-dir={folder}", f"--window-size={width},{height}", "--remote-debugging-port=0")
        command = [chromium(), "--headless=new", *OPTIONS, *own, "about:blank"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @contextmanager
    def page(self) -> Iterator[Any]:
        """Its page, as Playwright has it. Afterwards the page stays as it is, and nobody listens to it."""
        with importlib.import_module("playwright.sync_api").sync_playwright() as driver:
            browser = driver.chromium.connect_over_cdp(f"http://127.0.0.1:{self._port()}", timeout=120_000)
            page = browser.contexts[0].pages[0]
            page.set_default_timeout(120_000)
            yield page

    def cpu(self) -> Counter[str]:
        """Processor seconds of all its processes so far, by what they do: browser, renderer, gpu-process, utility."""
        found: Counter[str] = Counter()
        for pid in (self._process.pid, *descendants(self._process.pid)):
            with suppress(OSError):  # it has just ended
                words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                kind = words.split("--type=")[1].split(" ")[0] if "--type=" in words else "browser"
                found[kind] += cpu_seconds(pid)  # type: ignore[assignment]
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _port(self, seconds: float = 60.0) -> int:
        until = time.monotonic() + seconds
        said = self._folder / "DevToolsActivePort"
        while not said.exists() or not said.read_text():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the browser has not started")
            time.sleep(0.1)
        return int(said.read_text().split()[0])
