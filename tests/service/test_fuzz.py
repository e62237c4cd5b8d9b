"""Bad data breaks nothing; `make fuzz` is the long run."""

from __future__ import annotations

import random

import pytest

from bench.fuzz import fuzz
from bench.fuzz_cases import KINDS, bear, mutate
from bench.interface import fuzz_interface


def test_five_hundred_cases_of_bad_data_break_nothing() -> None:
    report = fuzz(500)
    assert report.good, report
    assert report.rss < 60e6


def test_requests_of_every_shape_are_answered_as_described() -> None:
    report = fuzz_interface(2)
    assert not report.faults, report.faults
    assert len(report.requests) > 30


def test_a_case_comes_back_by_its_number() -> None:
    data = bytes(range(256)) * 4
    assert mutate(data, random.Random(7)) == mutate(data, random.Random(7)) != mutate(data, random.Random(8))


@pytest.mark.parametrize("kind", ["noise", "answer", "wire"])
def test_an_unclean_error_is_told(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_it(dice: random.Random) -> None:
        raise KeyError("x")

    monkeypatch.setitem(KINDS, kind, break_it)
    assert bear(kind, 1).startswith("KeyError: 'x' (test_fuzz.py:")
