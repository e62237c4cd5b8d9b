"""What is said of an event is stored with it, for the webhooks that want it, until it is sent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.records import StreamRecord
from service.store import Store
from tests.conftest import ROOT
from tests.service.alerts.outbox import all_of, happen, webhook
from tests.service.stored import T0


@pytest.mark.parametrize(
    ("fields", "events", "expected"),
    [
        ({}, [{}], 2),
        ({"streams": ("door",)}, [{}, {"stream": "yard"}], 2),
        ({"kinds": ("tampering",)}, [{}, {"kind": "tampering"}], 2),
        ({"enabled": False}, [{}], 0),
        ({}, [{"muted": True}], 0),
    ],
)
def test_a_webhook_gets_what_it_wants(
    store: Store, fields: dict[str, Any], events: list[dict[str, Any]], expected: int
) -> None:
    store.outbox.put_webhook(webhook(**fields))
    for one in events:
        happen(store, **one)
    assert len(all_of(store)) == expected


def test_old_messages_that_are_done_are_removed(store: Store) -> None:
    store.outbox.put_webhook(webhook())
    for _ in range(5):
        happen(store)
    alerts = all_of(store)
    for alert in alerts[2:]:
        store.outbox.settle(replace(alert, state="sent"))
    assert store.outbox.prune(T0 - 1, most=6, limit=100) == 2
    assert store.outbox.prune(T0 + 1, most=6, limit=100) == 6
    assert [one.id for one in all_of(store)] == [one.id for one in alerts[:2]]


def test_a_removed_webhook_takes_its_messages_along(store: Store) -> None:
    store.outbox.put_webhook(webhook())
    happen(store)
    assert store.outbox.delete_webhook("one") and not store.outbox.delete_webhook("one")
    assert not all_of(store)


def test_a_purged_stream_is_forgotten_but_what_waits_is_said(store: Store) -> None:
    store.put_stream(StreamRecord("door", "Front door", None))
    store.outbox.put_webhook(webhook())
    happen(store)
    store.outbox.settle(replace(all_of(store)[1], state="sent"))
    store.delete_stream("door", purge=True)
    assert [(one.type, one.state) for one in all_of(store)] == [("event.closed", "waiting")]


_CRASH = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from service.alerts.records import Webhook
from service.records import StreamRecord
from service.store import Store
from tests.service.stored import event
store = Store.open(Path(sys.argv[1]))
store.outbox.put_webhook(Webhook("one", "one", "http://192.0.2.1/", "secret"))
closed = store.open_event(event())
store.update_event(replace(closed, ended=closed.started + 1, last_seq=9))
store.open_event(event(first_seq=50))
store.commit_scores([]).result()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_is_stored_survives_a_kill_and_an_event_left_open_is_closed(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _CRASH, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    with Store.open(tmp_path) as store:
        said = [(one.event, one.type, one.state) for one in reversed(all_of(store))]
        reason = all_of(store)[0].facts["event"]["reason"]
    assert said == [
        (1, "event.opened", "waiting"),
        (1, "event.closed", "waiting"),
        (2, "event.opened", "waiting"),
        (2, "event.closed", "waiting"),
    ]
    assert reason == "restart"
