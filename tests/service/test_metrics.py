"""Metrics: what is counted is there, and goes with its stream."""

from __future__ import annotations

from dataclasses import dataclass, field

from model.states import State
from service.engine.pipeline import BatchReport
from service.metrics import Metrics
from service.records import Dropped, Health, Score


@dataclass
class Facts:
    id: str
    health: Health = Health.LIVE
    frames_in: int = 5
    scored: int = 3
    reconnects: int = 1
    dropped: dict[Dropped, int] = field(default_factory=lambda: {Dropped.THINNED: 2})


def test_counters_go_with_their_stream() -> None:
    streams = [Facts("gate"), Facts("yard")]
    metrics = Metrics()
    metrics.streams(lambda: streams)
    assert 'framewatch_stream_dropped_total{cause="thinned",stream="gate"} 2.0' in metrics.text().decode()
    del streams[0]
    text = metrics.text().decode()
    assert "gate" not in text
    assert 'framewatch_stream_scored_total{stream="yard"} 3.0' in text


def test_batches_are_counted_by_size_and_stage() -> None:
    metrics = Metrics()
    metrics.batch(BatchReport(3, 1, 16, (0.01, 0.02), (0.001, 0.002), {"encoder": 0.03}))
    text = metrics.text().decode()
    assert "framewatch_batch_frames_sum 3.0" in text
    assert 'framewatch_stage_seconds_count{stage="queue"} 2.0' in text
    assert 'framewatch_stage_seconds_sum{stage="encoder"} 0.03' in text


def test_the_latency_of_a_recording_is_none() -> None:
    metrics = Metrics()
    metrics.scores([_score(captured=0.0), _score(captured=999.9)])
    assert "framewatch_capture_to_score_seconds_count 1.0" in metrics.text().decode()


def test_a_gauge_is_asked_when_it_is_read() -> None:
    metrics = Metrics()
    count = 1
    metrics.gauge("clients", "Clients", lambda: count)
    count = 7
    assert "framewatch_clients 7.0" in metrics.text().decode()


def _score(captured: float) -> Score:
    return Score("gate", 1, 1, 0.0, captured, 1000.0, 0.1, 0.5, 0.5, 0.1, State.NORMAL)
