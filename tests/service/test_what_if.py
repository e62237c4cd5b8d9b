"""What a threshold would have found is what it does find."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from service.client import Client, ServiceError
from service.what_if import Chained, find_events
from tests.e2e.serving import Served, served
from tests.model.detectors import INTERVAL, pictures
from tests.service.live import model, png
from tests.service.stored import score

CONFIG = model().detector.config
CHAINED = Chained(CONFIG, theta=1.0, smoothing=0.0, minimum=0.0, cooldown=0.0)


def scores(*raws: float | None) -> Any:
    """Scores a second apart; None: warming."""
    return [
        (1, replace(score("gate", seq), raw=raw, pts=float(seq), captured=1e9 + seq, frame=seq))
        for seq, raw in enumerate(raws, 1)
    ]


@pytest.mark.parametrize(
    ("raws", "theta", "expected"),
    [
        pytest.param([0.1, 0.2, 0.1], 1.0, [], id="calm"),
        pytest.param([0.1, 2.0, 3.0, 0.1], 1.0, [(2, 3)], id="one"),
        pytest.param([0.1, 2.0, 3.0, 0.1], 0.05, [(1, None)], id="a low threshold finds more"),
        pytest.param([0.1, 2.0, 3.0, 0.1], 5.0, [], id="a high one less"),
        pytest.param([2.0, None, 2.0], 1.0, [(1, 1), (3, None)], id="a hole ends it"),
    ],
)
def test_events_are_found_in_raw_scores(raws: list[float | None], theta: float, expected: list[Any]) -> None:
    found = find_events(scores(*raws), replace(CHAINED, theta=theta))
    assert [(event.first_seq, event.last_seq) for event in found] == expected


def test_a_cooldown_counts() -> None:
    raws = [2.0, 0.1, 2.0, 0.1]
    assert len(find_events(scores(*raws), CHAINED)) == 2
    assert len(find_events(scores(*raws), replace(CHAINED, cooldown=100.0))) == 1


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("data"), cooldown=0.0) as running, Client(running.url, timeout=120) as client:
        client.create_stream(id="gate", policy="every", threshold=1e-6, minimum=0)
        with client.ingest("gate", header=True) as sender:
            for n, image in enumerate(pictures(40)):
                sender.send(png(image), captured=1e9 + n * INTERVAL)
            list(sender.finish())
        yield running


@pytest.fixture
def client(service: Served) -> Iterator[Client]:
    with Client(service.url, timeout=120) as one:
        yield one


def test_the_threshold_in_force_would_have_found_what_was_found(client: Client) -> None:
    events = list(client.events(stream="gate"))[::-1]
    found = client.what_if("gate")
    assert found["scores"] == 40
    assert found["events"] == len(events) > 0
    assert [(span["start"], span["end"]) for span in found["spans"][:-1]] == [
        (event["started"], event["ended"]) for event in events[:-1]
    ]
    assert found["spans"][0]["peak"] == pytest.approx(events[0]["peak"])


def test_another_threshold_finds_other_things_and_changes_nothing(client: Client) -> None:
    assert client.what_if("gate", threshold=1e6)["events"] == 0
    assert client.what_if("gate", seconds=10 * INTERVAL)["scores"] == 11
    assert client.stream("gate")["threshold"] == pytest.approx(1e-6)


@pytest.mark.parametrize("query", ["threshold=0", "threshold=nan", "threshold=inf", "seconds=1e9", "seconds=-1"])
def test_what_cannot_be_asked_is_refused(client: Client, query: str) -> None:
    with pytest.raises(ServiceError) as error:
        client.request("GET", f"/v1/streams/gate/what-if?{query}")
    assert error.value.status == 422


def test_events_are_exported_with_their_labels(client: Client) -> None:
    events = list(client.events(stream="gate"))
    client.label_event(events[0]["id"], "true")
    answer = client.request("GET", "/v1/events.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(int(row["id"]), row["stream"], row["started"], row["label"]) for row in rows] == [
        (event["id"], "gate", event["started"], "true" if event is events[0] else "") for event in events
    ]
    assert len(client.events_table(label="true", stream="gate").splitlines()) == 2
    assert len(client.events_table(stream="none").splitlines()) == 1
