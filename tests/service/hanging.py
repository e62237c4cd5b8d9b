"""`framewatch serve` whose engine hangs in native code at its third batch: python -m tests.service.hanging serve ..."""

from __future__ import annotations

import itertools
import time

from service import cli
from service.engine.lanes import Lanes

_batches = itertools.count(1)
_begin = Lanes.begin


def _hang(self: Lanes, *given: object) -> object:
    if next(_batches) >= 3:
        time.sleep(1e6)
    return _begin(self, *given)  # type: ignore[arg-type]


if __name__ == "__main__":
    Lanes.begin = _hang  # type: ignore[assignment,method-assign]
    cli.main()
