"""The page of `python -m bench.learning`, from made-up results."""

from __future__ import annotations

from typing import Any

from bench.learning_report import Learned, LearningRun, Watched, markdown
from bench.machine import Host

HOST = Host("A Processor", 2, 8.0, "cpu", "float32", "framewatch 0.1.0")
REPORT: dict[str, Any] = {
    "frames": 600,
    "clips": 4,
    "held_out_clips": ["clip-00002"],
    "loss": 0.3,
    "held_out_loss": None,
    "calibration": {"theta": 1.2345, "alarms_per_hour": 1.0, "alarms": 0, "minutes": 0.3, "upper_bound": 738.4},
    "self_test": [{"kind": "backwards", "caught": 1, "episodes": 2, "auc": 0.5}],
    "coverage": {"ratio": None},
}


def learned(**changes: Any) -> Learned:
    said = {"recorded": 60.0, "state": "ready", "detail": "", "report": REPORT}
    after = Watched(60.0, 600, 200, 6, (0.1, 0.2, 0.3))
    meanwhile = {"before": Watched(10.0, 100, 0, 0, (0.1, 0.2)), "nothing": Watched(0.0, 0, 0, 0, ())}
    return Learned("yard", 49.0, "640×360, 25 fps", said | changes, 400.0, after, 2, meanwhile)


def page(*cameras: Learned, nice: int | None = None) -> list[str]:
    return markdown(LearningRun("command", "2025-01-02", HOST, 1.5, nice, 1.0, cameras)).splitlines()


def test_every_figure_has_its_row() -> None:
    lines = page(learned())
    for row in (
        "|  | yard |",
        "| recorded | 1.00 min |",
        "| error on the stretches learned from, on held-out ones | 0.300, – |",
        "| self-test, double speed: caught, ROC-AUC | – |",
        "| self-test, backwards: caught, ROC-AUC | 1 of 2, 0.500 |",
        "| threshold (theta) | 1.23 |",
        "| seen on held-out footage (95 % bound) | 0 in 0.30 min (bound: 738 an hour) |",
        "| false alarms then | 2 |",
        "| frames at or over the threshold then | 1.0% |",
        "| yard | before | 10 s | 10.0 | 0.0% | 150 ms | 195 ms |",
        "| yard | nothing | 0 s | 0.0 | 0.0% | – | – |",
    ):
        assert row in lines


def test_a_camera_that_could_not_be_learned_says_why() -> None:
    lines = page(learned(), learned(state="failed", detail="too little moves", report=None))
    assert "| pictures | 600; 4 stretches learned from, 1 held out | failed: too little moves |" in lines


def test_another_priority_is_told() -> None:
    assert "nice 3 instead of 19" in " ".join(page(learned(), nice=3))
    assert "nice" not in " ".join(page(learned()))
