"""The page of `make quality`, from made-up results."""

from __future__ import annotations

import dataclasses

import pytest

from bench.machine import Host
from bench.other_footage import StreetResult, UnlabelledResult
from bench.ped2 import Ped2Result, WholeFramesResult
from bench.quality_report import QualityRun, markdown, put_headline
from model.detector import Calibration
from training.coverage import Coverage
from training.events import EventMetrics
from training.frame_metrics import FrameMetrics
from training.metrics import Metrics
from training.report import TrainReport
from training.selftest import SelfTest

HOST = Host("A Processor (family 1, model 2)", 2, 8.0, "cpu", "float32", "framewatch 0.1.0, Python 3.11, torch 2")


def report(ratio: float | None = 1.0) -> TrainReport:
    return TrainReport(
        clips=4,
        held_out_clips=["05"],
        frames=100,
        minutes=1.5,
        bad=0,
        encoder="stem",
        windows=500,
        steps=10,
        best_step=10,
        loss=0.5,
        held_out_loss=0.5,
        calibration=Calibration(1.0, 1.0, 0.3, 0, 10.0, True),
        self_test=[SelfTest("double speed", 3, 4, 0.912)],
        coverage=Coverage(ratio, "05"),
        seconds=12.0,
        interrupted=False,
    )


def metrics(micro: float | None = 0.97) -> Metrics:
    frame = FrameMetrics(micro, 0.98, 0.99, 0.08)
    events = EventMetrics(12, 11, 1, (0.03, 5.6), 0.5, 0.4)
    return Metrics(frame, frame, 0.8, 0.91, events, 100.0, 2010, 12, ("08", "09"))


def ped2(seed: int = 0, micro: float | None = 0.97, corrupted: float | None = 0.955) -> Ped2Result:
    return Ped2Result(
        seed=seed,
        report=report(),
        training_seconds=200.0 + seed,
        clean=metrics(micro),
        corrupted=metrics(corrupted),
        frames_per_second=130.0,
    )


def page(*results: Ped2Result, notes: str = "", **others: object) -> str:
    run = QualityRun("make quality", "2025-01-02", HOST, quick=False, ped2=results)
    return markdown(dataclasses.replace(run, **others), notes)  # type: ignore[arg-type]


def row(text: str, name: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(
    ("results", "cells"),
    [
        ([ped2()], ["0.970", "one seed", "yes"]),
        ([ped2(0, 0.96), ped2(1, 0.98)], ["0.970", "0.960 to 0.980", "yes"]),
        ([ped2(0, 0.95), ped2(1, 0.96)], ["0.955", "0.950 to 0.960", "**no**"]),
        ([ped2(0, None)], ["–", "–", ""]),
    ],
)
def test_a_measure_stands_beside_its_target_with_mean_and_spread(results: list[Ped2Result], cells: list[str]) -> None:
    assert row(page(*results), "causal, micro ROC-AUC")[1:] == ["0.965 (aim 0.985)", *cells]


@pytest.mark.parametrize(("corrupted", "cost", "met"), [(0.955, "0.015", "yes"), (0.94, "0.030", "**no**")])
def test_corruption_costs_at_most_so_much(corrupted: float, cost: str, met: str) -> None:
    cells = row(page(ped2(corrupted=corrupted)), "what corruption costs (causal, micro)")
    assert (cells[2], cells[4]) == (cost, met)


def test_a_bound_from_above_is_met_from_below() -> None:
    slow = dataclasses.replace(ped2(), training_seconds=301.0)
    assert row(page(ped2()), "training, all included, seconds")[4] == "yes"
    assert row(page(slow), "training, all included, seconds")[4] == "**no**"


def test_events_come_with_the_footage_they_rest_on() -> None:
    assert row(page(ped2(seed=2)), "2") == ["2", "11 of 12", "1", "0.50 min", "120.0 (3.6 to 672.0)", "0.4 s"]


def test_the_page_names_command_machine_and_date() -> None:
    first = page(ped2()).splitlines()[2]
    assert first.startswith(
        "Measured by `make quality` on 2025-01-02. A Processor (family 1, model 2), 2 cores, 8 GiB;"
    )


def test_hand_written_notes_end_the_page() -> None:
    assert page(ped2(), notes="## Tried\n\nMuch.\n").endswith("\n\n## Tried\n\nMuch.\n")


def test_a_quick_run_says_that_its_figures_mean_nothing() -> None:
    assert "A quick run" in page(ped2(), quick=True)
    assert "A quick run" not in page(ped2())


def test_parts_that_were_left_out_have_no_section() -> None:
    street = StreetResult(0, report(), 50.0, metrics())
    text = page(street=[street])
    assert "UCSD Ped2" not in text
    assert row(text, "0")[1:] == ["0.970", "0.980", "0.970", "0.910", "11 of 12", "1 in 0.5 min", "50"]


def test_whole_frames_have_a_section_of_their_own() -> None:
    found = WholeFramesResult(1, FrameMetrics(0.65, 0.7, 0.8, 0.4), FrameMetrics(0.81, 0.85, 0.9, 0.3))
    text = page(whole_frames=[found])
    assert row(text, "1")[1:] == ["0.650", "0.700", "0.810"]
    assert "by hand" not in text


def test_the_readme_gets_the_main_figures_at_the_place_of_its_table() -> None:
    put = put_headline("Before.\n\n| UCSD Ped2 | mean |\n|---|---|\n| old | 1 |\n\nAfter.\n", [ped2()])
    assert put.startswith("Before.\n\n| UCSD Ped2 | mean of seeds 0 |") and put.endswith(" |\n\nAfter.\n")
    assert row(put, "causal, micro ROC-AUC") == ["causal, micro ROC-AUC", "0.970", "one seed"]
    assert "| old |" not in put
    with pytest.raises(ValueError, match="no table"):
        put_headline("Before.\n", [ped2()])


def test_self_test_and_coverage_of_every_footage_stand_side_by_side() -> None:
    other = UnlabelledResult("vtest.avi", report(2.5), 20.0, 795, 8)
    text = page(ped2(), unlabelled=[other])
    assert row(text, "Ped2, seed 0") == ["Ped2, seed 0", "3 of 4, 0.912", "1.0"]
    lines = [line for line in text.splitlines() if line.startswith("| vtest.avi |")]
    assert lines == ["| vtest.avi | 5 | 1.5 | 20 | 795 | 1.0% |", "| vtest.avi | 3 of 4, 0.912 | 2.5 |"]


def test_every_row_of_a_table_has_as_many_cells_as_its_header() -> None:
    text = page(
        ped2(),
        unlabelled=[UnlabelledResult("a", report(), 1.0, 9, 0)],
        street=[StreetResult(0, report(), 1.0, metrics())],
        whole_frames=[WholeFramesResult(0, metrics().causal, metrics().causal)],
    )
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 6
    for table in tables:
        assert {line.count("|") for line in table} == {table[0].count("|")}
