"""What Prometheus reads at /metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.engine.pipeline import BatchReport
from service.records import Dropped, Health, Score

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_LONGEST = 600.0  # seconds between capture and score that are a latency, not a wrong clock or a recording


class StreamFacts(Protocol):
    """What is counted of a stream."""

    @property
    def id(self) -> str: ...

    @property
    def health(self) -> Health: ...

    @property
    def frames_in(self) -> int: ...

    @property
    def scored(self) -> int: ...

    @property
    def reconnects(self) -> int: ...

    @property
    def dropped(self) -> dict[Dropped, int]: ...


class Metrics:
    """Everything that is measured, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._size = self._histogram("batch_frames", "Frames scored together", _SIZES)
        self._clips = self._histogram("batch_clip_frames", "Of these, frames of uploaded videos", (0, *_SIZES))
        self._stage = Histogram(
            "framewatch_stage_seconds",
            "Seconds of a batch by stage; queue and decode are of each frame",
            ["stage"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._latency = self._histogram("capture_to_score_seconds", "From a frame's capture to its score", _SECONDS)

    def batch(self, report: BatchReport) -> None:
        """Counts a batch. For the engine's thread."""
        self._size.observe(report.frames)
        self._clips.observe(report.clip_frames)
        for stage, seconds in report.stages.items():
            self._stage.labels(stage).observe(seconds)
        for name, each in (("queue", report.waited), ("decode", report.decoded)):
            stage_of_frame = self._stage.labels(name)
            for seconds in each:
                stage_of_frame.observe(seconds)

    def scores(self, scores: Iterable[Score]) -> None:
        """Counts how long frames took to their scores."""
        for score in scores:
            seconds = score.scored - score.captured
            if 0 <= seconds <= _LONGEST:
                self._latency.observe(seconds)

    def gauge(self, name: str, about: str, value: Callable[[], float]) -> None:
        """Adds a number that is asked for when it is read."""
        Gauge(f"framewatch_{name}", about, registry=self._registry).set_function(value)

    def streams(self, streams: Callable[[], Iterable[StreamFacts]]) -> None:
        """Adds the counters of all streams there are when they are read; those of a removed stream are gone."""
        self._registry.register(_StreamCollector(streams))

    def text(self) -> bytes:
        """All of it in Prometheus' own format."""
        return generate_latest(self._registry)

    def _histogram(self, name: str, about: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"framewatch_{name}", about, buckets=buckets, registry=self._registry)


class _StreamCollector(Collector):
    def __init__(self, streams: Callable[[], Iterable[StreamFacts]]) -> None:
        self._streams = streams

    def collect(self) -> Iterator[Metric]:
        came = CounterMetricFamily("framewatch_stream_frames", "Frames that came in", labels=["stream"])
        scored = CounterMetricFamily("framewatch_stream_scored", "Frames that were scored", labels=["stream"])
        again = CounterMetricFamily("framewatch_stream_reconnects", "Reconnects of the source", labels=["stream"])
        lost = CounterMetricFamily(
            "framewatch_stream_dropped", "Frames not scored, by cause", labels=["stream", "cause"]
        )
        live = GaugeMetricFamily("framewatch_stream_live", "Whether frames arrive", labels=["stream"])
        for stream in self._streams():
            came.add_metric([stream.id], stream.frames_in)
            scored.add_metric([stream.id], stream.scored)
            again.add_metric([stream.id], stream.reconnects)
            live.add_metric([stream.id], stream.health is Health.LIVE)
            for cause, count in stream.dropped.items():
                lost.add_metric([stream.id, cause.value], count)
        yield from (came, scored, again, lost, live)
