"""The live benchmarks: what is sent, the page they write, and the verdict of the soak."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from pathlib import Path

import pytest

from bench.live_material import HEIGHT, WIDTH, jpegs, write_model
from bench.page import command_of, put_section
from bench.rival_fastapi import detector_of, window_scores
from bench.running import Vitals
from bench.serve import Latency, Rate, latency_table, rate_table
from bench.soak import Sample, Soaked, report, trend
from bench.wall import Round, Rounds
from bench.wall import report as wall_report
from model.pictures import decode_image
from tests.model.detectors import detector, stacked
from tests.model.detectors import pictures as drawn


def test_what_is_sent_repeats_without_a_jump_and_fits_the_model(tmp_path: Path) -> None:
    frames = jpegs(4)
    assert len(frames) == 6 and frames[4] == frames[2] and frames[5] == frames[1]
    model = detector_of(write_model(tmp_path / "wide.safetensors"), "cpu", workers=False)
    image = decode_image(frames[0])
    assert image.shape == (HEIGHT, WIDTH)
    assert model.prepare(image).image.shape == (240, 416)


def test_whole_windows_score_as_the_detector_says() -> None:
    model = detector(window=4)
    windows = [drawn(4, seed=seed) for seed in (0, 1)]
    expected = [float(model.score_window(stacked(window)).raw[0]) for window in windows]
    assert window_scores(model, windows) == pytest.approx(expected, rel=1e-5)


def test_a_section_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    put_section("One", "make one", "first", page=page)
    put_section("Two", "make two", "second", page=page)
    put_section("One", "make one", "| third |", page=page)
    text = page.read_text()
    assert text.startswith("# Benchmarks\n")
    assert "first" not in text
    assert text.index("| third |") < text.index("second")
    assert text.count("## ") == 2


@pytest.mark.parametrize(
    ("program", "given", "command"),
    [
        ("make bench-serve", [], "make bench-serve"),
        ("make bench-serve", ["--write"], "make bench-serve ARGS=--write"),
        ("make bench-rivals", ["--write", "--rounds", "2"], "make bench-rivals ARGS='--write --rounds 2'"),
        ("python -m bench.wall", [], "python -m bench.wall"),
        ("python -m bench.wall", ["--write", "--rounds", "2"], "python -m bench.wall --write --rounds 2"),
    ],
)
def test_a_section_names_the_command_with_what_it_was_given(program: str, given: list[str], command: str) -> None:
    assert command_of(program, given) == command


def test_tables_have_a_row_for_each_measurement() -> None:
    rows = rate_table([Rate(4, 50.0, 45.0, 55.0, 0.25, 1.9, 3.2)], 200.0, 100.0)
    assert rows[2] == "| 4 | 50.0 | 45.0 to 55.0 | 0.250 | 0.500 | 25% | 1.9 | 3.2 |"
    late = latency_table([Latency(0.5, 2, 20.0, 0.01, (0.04, 0.08, 0.1))])
    assert late[2] == "| 50% of capacity | 2 | 20.0 | 1.0% | 40 ms | 80 ms | 100 ms |"


@pytest.mark.parametrize(
    ("values", "flat"),
    [
        ([100.0] * 20, True),
        ([100.0 + at for at in range(20)], False),
        ([100.0] * 19 + [130.0], True),
        ([100.0 - at for at in range(20)], True),
    ],
    ids=["flat", "grows", "one outlier", "shrinks"],
)
def test_growth_is_told_from_noise(values: list[float], flat: bool) -> None:
    assert trend("x", [5.0 * at for at in range(20)], values, 8.0).flat is flat


@pytest.mark.parametrize(
    ("leak", "failed", "late", "tracebacks", "good"),
    [
        (0, 0, 0, 0, True),
        (2_000_000, 0, 0, 0, False),
        (0, 1, 0, 0, False),
        (0, 0, 0, 1, False),
        (0, 0, 5, 0, True),
    ],
    ids=["flat", "a leak", "a failure", "a traceback", "a slow machine"],
)
def test_the_soak_is_good_only_if_nothing_grows_and_nothing_failed(
    leak: int, failed: int, late: int, tracebacks: int, good: bool
) -> None:
    quiet = Vitals(0, 0, 0, 0)
    samples = [Sample(10.0 * at, Vitals(10**9 + leak * at, 10**9 + leak * at, 20, 40), quiet, 2, 1) for at in range(40)]
    alone = Vitals(10**9, 10**9, 20, 40)
    wrong, slow = (Counter({"push: x": count} if count else {}) for count in (failed, late))
    said, found = report(Soaked(samples, Counter(push=9), wrong, slow, (alone, alone), tracebacks))
    assert found is good
    assert f"not answered in time: {late} of 9" in said
    assert ("GROWS" in said) is bool(leak)


@pytest.mark.parametrize(
    ("databases", "others", "good"), [(16, 0, True), (17, 0, False), (0, 4, False)], ids=["pool", "more", "sockets"]
)
def test_what_the_stores_pool_may_keep_open_nothing_else_may(databases: int, others: int, good: bool) -> None:
    alone = Vitals(10**9, 10**9, 20, 40, 10)
    after = Vitals(10**9, 10**9, 20, 40 + databases + others, 10 + databases)
    samples = [Sample(10.0 * at, alone, Vitals(0, 0, 0, 0), 2, 1) for at in range(40)]
    assert report(Soaked(samples, Counter(), Counter(), Counter(), (alone, after), 0))[1] is good


@pytest.mark.parametrize(
    ("browser", "rate", "good"),
    [(0.2, 29.0, True), (0.4, 29.0, False), (0.2, 25.0, False)],
    ids=["", "page", "service"],
)
def test_the_wall_may_cost_the_browser_and_the_service_so_much(browser: float, rate: float, good: bool) -> None:
    closed = Round(30.0, 0.0, 1.0, Counter({"renderer": 0.0}))
    opened = Round(rate, 0.0, 1.0, Counter({"renderer": browser}))
    options = Namespace(streams=16, rate=2.0, rounds=1, seconds=20.0, device="cpu")
    said, found = wall_report(Rounds([closed], [opened]), Rounds([closed], [opened]), options, 1)
    assert found is good
    assert f"| 2 frames/s each | open | {rate:.1f} |" in said
