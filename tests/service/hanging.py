"""`framewatch serve` whose engine hangs in native code at its third batch: python -m tests.service.hanging serve ..."""

from __future__ import annotations

import itertools
import time

from service import cli
from service.lanes import Lanes

_batches = itertools.count(1)
_score = Lanes.score


def _hang(self: Lanes, *given: object) -> object:
    if next(_batches) >= 3:
        time.sleep(1e6)
    return _score(self, *given)  # type: ignore[arg-type]


if __name__ == "__main__":
    Lanes.score = _hang  # type: ignore[assignment,method-assign]
    cli.main()
