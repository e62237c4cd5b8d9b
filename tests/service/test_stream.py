"""A stream counts what comes in and what becomes of it, and is changed, ended and moved at any time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from service.plan import OptionError, make_plan
from service.queues import QueueLimits
from service.records import Dropped, Health, IncomingFrame, StreamOptions
from service.stream import FrameLimits, Stream, switch
from tests.service.live import model, sibling, stream, walk

DOOR = model()
LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


class Told:
    """An engine that notes what it is told."""

    def __init__(self) -> None:
        self.woken = 0
        self.changed = 0

    def wake(self, stream: Stream) -> None:
        self.woken += 1

    def change(self, stream: Stream) -> None:
        self.changed += 1


def test_offered_frame_wakes_the_engine() -> None:
    one, told = stream(DOOR), Told()
    frames = walk(3)
    assert one.offer(frames[0])
    one.engine = told
    assert one.offer(frames[1]) and one.offer(frames[2])
    assert (told.woken, one.frames_in, len(one.queue)) == (2, 3, 3)


def test_frame_over_the_size_limit_is_counted_and_not_kept() -> None:
    one = stream(DOOR, frame_limits=FrameLimits(bytes=10))
    assert one.offer(IncomingFrame(0, 0.0, 0.0, bytes(11)))
    assert one.offer(IncomingFrame(1, 0.1, 0.0, bytes(10)))
    assert (len(one.queue), one.frames_in, one.dropped[Dropped.BAD]) == (1, 2, 1)


def test_decoded_frames_are_not_measured_by_the_limit_of_encoded_ones() -> None:
    one = stream(DOOR, frame_limits=FrameLimits(bytes=10))
    assert one.offer(IncomingFrame(0, 0.0, 0.0, np.zeros((64, 96), np.uint8)))
    assert (len(one.queue), one.dropped[Dropped.BAD]) == (1, 0)


def test_frames_of_no_use_are_told_when_there_are_several_in_a_row() -> None:
    one = stream(DOOR)
    for expected in ["", "", "", "", "too wide", "too wide"]:
        one.count_drop(Dropped.THINNED)
        one.count_drop(Dropped.BAD, "too wide")
        assert one.unusable == expected
    one.count_score(None)
    one.count_drop(Dropped.BAD, "too wide")
    assert one.unusable == ""


def test_overtaken_frames_are_counted() -> None:
    one = stream(DOOR, policy="latest", queue_limits=QueueLimits(latest=2))
    for frame in walk(5):
        one.offer(frame)
    assert (one.frames_in, one.dropped[Dropped.OVERLOAD], one.unannounced) == (5, 3, 3)


def test_source_of_a_stream_with_back_pressure_is_refused() -> None:
    one = stream(DOOR, queue_limits=QueueLimits(every=2))
    assert [one.offer(frame) for frame in walk(3)] == [True, True, False]
    assert (one.frames_in, one.credit) == (2, 0)


def test_closed_stream_takes_nothing() -> None:
    one = stream(DOOR, frame_limits=FrameLimits(bytes=1 << 20))
    one.offer(walk(1)[0])
    one.close()
    one.close()
    assert one.closed
    assert not one.offer(walk(1)[0])
    assert not one.offer(IncomingFrame(0, 0.0, 0.0, bytes(2 << 20)))
    assert (len(one.queue), one.frames_in) == (0, 1)


def test_update_changes_plan_record_and_policy() -> None:
    one, told = stream(DOOR), Told()
    one.engine = told
    one.update(StreamOptions(threshold=0.7, smoothing=2.0, minimum=1.0, policy="latest", max_rate=8.0), DOOR)
    assert (one.plan.theta, one.plan.smoothing, one.plan.minimum, one.plan.max_rate) == (0.7, 2.0, 1.0, 8.0)
    assert one.record.options.threshold == 0.7
    assert one.queue.policy == "latest"
    assert told.changed == 1


def test_options_left_open_are_the_models() -> None:
    config = DOOR.detector.config
    plan = make_plan(DOOR, StreamOptions())
    assert (plan.theta, plan.smoothing, plan.minimum) == (
        float(DOOR.detector.theta),
        config.smoothing,
        config.minimum,
    )
    assert plan.max_rate is None and plan.region is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (StreamOptions(threshold=0.0), "threshold 0.0: expected a raw error above 0"),
        (StreamOptions(threshold=float("nan")), "threshold nan"),
        (StreamOptions(smoothing=-1.0), "smoothing -1.0: expected 0 to 3600 seconds"),
        (StreamOptions(smoothing=float("nan")), "smoothing nan"),
        (StreamOptions(minimum=1e9), "minimum 1000000000.0: expected 0 to 3600 seconds"),
        (StreamOptions(max_rate=4.9), "max_rate 4.9: expected 5 frames a second or more, half the 10"),
        (StreamOptions(max_rate=float("inf")), "max_rate inf"),
        (StreamOptions(mask=(((0.0, 0.0), (1.0, 1.0)),)), "mask: polygon 1 has 2 corners"),
    ],
)
def test_options_that_cannot_be_are_refused_and_change_nothing(options: StreamOptions, says: str) -> None:
    one = stream(DOOR)
    before = one.plan
    with pytest.raises(OptionError, match=says):
        one.update(options, DOOR)
    assert one.plan is before


def test_mask_of_a_model_without_cells_is_refused() -> None:
    with pytest.raises(OptionError, match="mask: model old looks at the whole frame"):
        stream(model("pixels", name="old"), mask=(LEFT,))


def test_streams_move_to_a_new_model_together() -> None:
    streams = [stream(DOOR, f"cam{n}") for n in range(3)]
    yard = sibling(DOOR, seed=1)
    switch(streams, yard)
    assert [one.plan.model for one in streams] == [yard] * 3


def test_streams_stay_where_they_are_if_the_model_does_not_fit_one() -> None:
    streams = [stream(DOOR, "cam0"), stream(DOOR, "cam1", mask=(LEFT,))]
    with pytest.raises(OptionError, match="stream cam1: mask: model old looks at the whole frame"):
        switch(streams, model("pixels", name="old"))
    assert [one.plan.model for one in streams] == [DOOR] * 2


def test_health_says_what_is_news_and_counts_reconnects() -> None:
    one = stream(DOOR)
    assert one.health is Health.CONNECTING
    said = [
        one.set_health(Health.LIVE),
        one.set_health(Health.LIVE),
        one.set_health(Health.RECONNECTING, "connection refused", "connection"),
        one.set_health(Health.RECONNECTING, "connection refused", "connection"),
        one.set_health(Health.RECONNECTING, "timed out", "timeout"),
        one.set_health(Health.LIVE),
        one.set_health(Health.RECONNECTING),
    ]
    assert said == [True, False, True, False, True, True, True]
    assert (one.reconnects, one.reason, one.error_class) == (2, "", "")


def test_seq_goes_on_where_an_earlier_stream_of_that_id_ended() -> None:
    record = replace(stream(DOOR).record, id="again")
    assert Stream(record, DOOR, seq=41).seq == 41
