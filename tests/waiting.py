"""Waiting for what happens by itself: the machine may be busy, so never for a while, always for something."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait_for(
    found: Callable[[], Any], missing: Callable[[], object] = lambda: "it did not happen", *, seconds: float = 120.0
) -> Any:
    """What a call gives, as soon as that is true; `missing`: what is said where it never is."""
    until = time.monotonic() + seconds
    while not (what := found()):
        assert time.monotonic() < until, missing()
        time.sleep(0.01)
    return what
