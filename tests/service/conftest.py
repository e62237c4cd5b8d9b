"""Scorers that are stopped at the end of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from service.scorer import Scorer, ScorerLimits
from tests.service.live import Outcomes

Start: TypeAlias = Callable[..., tuple[Scorer, Outcomes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts scorers with the limits given, or other keywords of `Scorer`."""
    running: list[Scorer] = []

    def one(**settings: Any) -> tuple[Scorer, Outcomes]:
        outcomes = Outcomes()
        known = {name: settings.pop(name) for name in list(settings) if name in ScorerLimits.__dataclass_fields__}
        settings.setdefault("on_results", outcomes)
        scorer = Scorer(limits=ScorerLimits(**{"decoders": 2, **known}), **settings)
        scorer.start()
        running.append(scorer)
        return scorer, outcomes

    yield one
    for scorer in running:
        scorer.stop()
