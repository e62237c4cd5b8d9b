"""A copy of the data folder, made as the page on operations says, is put back and has everything."""

from __future__ import annotations

import shutil
from pathlib import Path

from service.client import Client
from tests.e2e.serving import served
from tests.model.detectors import INTERVAL, pictures
from tests.service.live import png

FRAMES = 24


def test_a_copy_that_is_put_back_goes_on_where_it_was(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    with served(data, auth="on") as running:
        key = (data / "admin.key").read_text().strip()
        with Client(running.url, key=key, timeout=120) as client:
            client.create_stream(id="gate", name="North gate", policy="every", threshold=1e-6, minimum=0)
            with client.ingest("gate", header=True) as sender:
                for number, image in enumerate(pictures(FRAMES)):
                    sender.send(png(image), captured=1e9 + number * INTERVAL)
                list(sender.finish())
            (event,) = client.events()
            client.label_event(event["id"], "true")
            scores = list(client.scores("gate"))
    shutil.copytree(data, copy)
    shutil.rmtree(data)
    with served(copy, auth="on") as running, Client(running.url, key=key, timeout=120) as client:
        assert [(one["id"], one["name"]) for one in client.streams()] == [("gate", "North gate")]
        assert list(client.scores("gate")) == scores
        assert [(one["id"], one["label"]) for one in client.events()] == [(event["id"], "true")]
        assert [one["name"] for one in client.models()] == ["door"]
    for path in copy.glob("scores.sqlite3*"):
        path.unlink()
    with served(copy, auth="on") as running, Client(running.url, key=key, timeout=120) as client:
        assert list(client.scores("gate")) == []
        assert [one["id"] for one in client.streams()] == ["gate"]
        assert [one["id"] for one in client.events()] == [event["id"]]
