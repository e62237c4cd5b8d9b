"""The same clip has the same scores, whichever way it comes: pushed, uploaded, read, by the command line."""

from __future__ import annotations

import asyncio
import csv
import threading
import zipfile
from pathlib import Path

import cv2
import pytest
from torch import Tensor
from websockets.asyncio.client import connect

from model.pictures import Image
from service.client import Client, Message
from service.ingest import HEADER
from service.records import IncomingFrame
from tests.e2e.serving import Served, served
from tests.model.detectors import INTERVAL, pictures
from tests.service.command_line import framewatch
from tests.service.live import png
from tests.waiting import wait_for

FRAMES = 40
FLOOD, BURST = 40, 6
"""Frames that come at once: to an engine that is held up, and then to one that is not; 4 may wait."""


@pytest.fixture(scope="module")
def images() -> list[Image]:
    return pictures(FRAMES)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, service: Served, images: list[Image]) -> list[dict[str, str]]:
    """What `framewatch score` writes for the clip, a zip of numbered pictures."""
    folder = tmp_path_factory.mktemp("footage")
    out = folder / "scores.csv"
    model = service.monitor.settings.models_folder / "door.safetensors"
    ended = framewatch(
        "score", zipped(folder, images), "--model", model, "--out", out, "--device", "cpu", "--precision", "float32"
    )
    assert ended.code == 0, ended.err
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


def zipped(folder: Path, images: list[Image]) -> Path:
    """The clip `01` as a zip of PNG files."""
    path = folder / "clip.zip"
    if not path.exists():
        with zipfile.ZipFile(path, "w") as archive:
            for number, image in enumerate(images):
                archive.writestr(f"01/{number:04d}.png", cv2.imencode(".png", image)[1].tobytes())
    return path


def number(text: str) -> float | None:
    return float(text) if text else None


def close(value: float | None, text: str) -> bool:
    """Whether a score is that of the table, to 1e-5."""
    expected = number(text)
    if value is None or expected is None:
        return value is expected
    return value == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_an_uploaded_clip_has_the_scores_of_the_command_line(
    service: Served, table: list[dict[str, str]], images: list[Image], tmp_path: Path
) -> None:
    with Client(service.url) as client:
        answer = client.post_videos([zipped(tmp_path, images)], wait=True)
    assert len(answer["scores"]) == len(table) == FRAMES
    for row, expected in zip(answer["scores"], table, strict=True):
        assert (row["clip"], row["frame"]) == (expected["clip"], int(expected["frame"]))
        assert row["state"] == expected["state"]
        for name in ("time", "raw", "score", "smoothed"):
            assert close(row[name], expected[name]), (name, row, expected)


def test_the_table_of_a_job_is_that_of_the_command_line(
    service: Served, table: list[dict[str, str]], images: list[Image], tmp_path: Path
) -> None:
    with Client(service.url) as client:
        job = client.wait_for_job(client.put_video(zipped(tmp_path, images))["id"])
        assert (job["state"], job["frames"], job["error"]) == ("done", FRAMES, "")
        rows = list(csv.DictReader(client.job_table(job["id"]).splitlines()))
        submission = client.job_table(job["id"], "submission.csv").splitlines()
    assert list(rows[0]) == list(table[0])
    assert all(close(number(row["raw"]), want["raw"]) for row, want in zip(rows, table, strict=True))
    assert submission[0] == "Id,Predicted"
    assert len(submission) == FRAMES + 1


def test_pushed_frames_have_the_scores_of_the_command_line(
    service: Served, table: list[dict[str, str]], images: list[Image]
) -> None:
    with Client(service.url, timeout=240) as client:
        said = pushed(client, "cam", [(n * INTERVAL, n, png(image)) for n, image in enumerate(images)])
    assert said[-1]["type"] == "bye"
    assert_equal(said, table)


def test_neighbours_that_run_meanwhile_change_no_score(
    service: Served, table: list[dict[str, str]], images: list[Image]
) -> None:
    """Twenty other streams are sent and scored from before the clip begins until after it has ended."""
    names = [f"cam{n}" for n in range(20)]
    with Client(service.url, timeout=240) as client:
        for name in names:
            client.create_stream(id=name, policy="every")
        crowd = Crowd(service, names)
        try:
            crowd.start()
            said = pushed(client, "cam", [(n * INTERVAL, n, png(image)) for n, image in enumerate(images)])
            after = crowd.scored()
            wait_for(lambda: all(now > then for now, then in zip(crowd.scored(), after, strict=True)))
        finally:
            crowd.stop()
            for name in names:
                client.delete_stream(name, purge=True)
    assert_equal(said, table)


@pytest.mark.parametrize("policy", ["every", "latest"])
def test_a_file_that_is_read_once_has_the_scores_of_the_command_line(
    tmp_path: Path, images: list[Image], table: list[dict[str, str]], policy: str
) -> None:
    """As a stream of its own: with `latest` played at its own speed, as a camera would give it."""
    film = zipped(tmp_path, images)
    with served(tmp_path / "data", sources={"film": film}) as running, Client(running.url, timeout=240) as client:
        client.create_stream(id="cam", source="film", loop=False, policy=policy)
        wait_for(lambda: client.stream("cam")["health"] == "ended" and running.monitor.scorer._idle())
        running.monitor.store.commit_scores([]).result(120)  # behind those of the last batch
        stored = list(client.scores("cam"))
        view = client.stream("cam")
    assert view["frames"] == FRAMES
    if policy == "every":
        assert [score["frame"] for score in stored] == list(range(FRAMES))
        assert_equal(stored, table)
    else:  # on a busy machine some frames may be overtaken; what is scored is not thinned below the model's rate
        assert len(stored) == FRAMES - sum(view["dropped"].values())


def test_an_overloaded_stream_has_the_scores_of_a_replay_of_its_accepted_frames(service: Served) -> None:
    """At twice the model's rate, so that most windows bear that one or two frames are overtaken."""
    frames = [(n * INTERVAL / 2, n, png(image)) for n, image in enumerate(pictures(FLOOD + 20 * BURST, seed=3))]
    encoder = service.monitor.models.active.detector.encoder  # type: ignore[union-attr]
    forward, going = encoder.forward, threading.Event()

    def held(images: Tensor) -> Tensor:
        assert going.wait(120)
        return forward(images)

    encoder.forward = held  # type: ignore[method-assign]
    with Client(service.url, timeout=240) as client:
        client.create_stream(id="live", policy="latest")
        stream = service.monitor.roster.get("live").stream
        assert stream is not None
        accepted, take = [], stream.queue.take

        def noted() -> tuple[IncomingFrame, float] | None:
            taken = take()
            if taken is not None:
                accepted.append(taken[0].number)
            return taken

        stream.queue.take = noted  # type: ignore[method-assign]
        try:
            with client.ingest("live", header=True) as sender:
                for first in (0, *range(FLOOD, len(frames), BURST)):
                    burst = frames[first : first + BURST] if first else frames[:FLOOD]
                    for captured, n, data in burst:
                        sender.send(data, captured=captured, number=n)
                    wait_for(lambda count=first + len(burst): stream.frames_in == count)  # type: ignore[misc]
                    going.set()
                    wait_for(service.monitor.scorer._idle)
                live = [message for message in sender.finish() if message["type"] == "score"]
        finally:
            del encoder.forward
            going.set()
        assert client.stream("live")["dropped"]["overload"] == len(frames) - len(accepted) > 0
        replayed = pushed(client, "replay", [frames[n] for n in accepted])
        client.delete_stream("live", purge=True)
    again = {message["frame"]: message for message in replayed if message["type"] == "score"}
    assert [message["frame"] for message in live] == list(again)
    assert sum(message["raw"] is not None for message in live) > 20, [
        (m["frame"], m["reason"], m["dropped"]) for m in live
    ]
    for message in live:
        for name in ("pts", "raw", "score", "smoothed", "state"):
            assert message[name] == (
                again[message["frame"]][name]
                if message[name] is None or name == "state"
                else pytest.approx(again[message["frame"]][name], rel=1e-5, abs=1e-5)
            )


def pushed(client: Client, id: str, frames: list[tuple[float, int, bytes]]) -> list[Message]:
    """What comes back of frames (seconds, number, PNG) that are pushed to a stream of their own, with `every`."""
    client.create_stream(id=id, policy="every")
    try:
        with client.ingest(id, header=True) as sender:
            for captured, n, data in frames:
                sender.send(data, captured=captured, number=n)
            return list(sender.finish())
    finally:
        client.delete_stream(id, purge=True)


def assert_equal(said: list[Message], table: list[dict[str, str]]) -> None:
    """The scores of pushed frames are those of the table, from the first full window on."""
    scores = [message for message in said if message.get("type", "score") == "score"]
    assert [message["frame"] for message in scores] == list(range(len(table)))
    full = [message for message in scores if message["raw"] is not None]
    assert len(full) > len(table) // 2
    for message in full:
        expected = table[message["frame"]]
        assert close(message["pts"], expected["time"])
        for name in ("raw", "score", "smoothed"):
            assert close(message[name], expected[name]), (name, message, expected)
        assert message["state"] == expected["state"]


class Crowd:
    """One client for many streams, which sends them frames as fast as they are taken until it is stopped."""

    def __init__(self, service: Served, names: list[str]) -> None:
        self._service = service
        self._names = names
        self._frames = [png(image) for image in pictures(20, seed=9)]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send_all()))

    def start(self) -> None:
        """Returns when every stream has scores."""
        self._thread.start()
        wait_for(lambda: all(self.scored()))

    def scored(self) -> list[int]:
        """Frames of each stream that are scored so far."""
        return [self._service.monitor.roster.get(name).scored for name in self._names]

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(120)
        assert not self._thread.is_alive()

    async def _send_all(self) -> None:
        await asyncio.gather(*(self._send(name) for name in self._names))

    async def _send(self, name: str) -> None:
        url = f"{self._service.ws}/v1/streams/{name}/ingest?header=1&scores=0"
        async with connect(url, proxy=None, compression=None) as end:
            number = 0
            while not self._stopping.is_set():
                header = HEADER.pack(round(number * INTERVAL * 1e6), number, 0)
                await end.send(header + self._frames[number % len(self._frames)])
                number += 1
                await asyncio.sleep(0.02)


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 2e-3), ("float16", 2e-2)])
def test_a_gpu_gives_the_scores_of_a_cpu(
    tmp_path: Path, images: list[Image], table: list[dict[str, str]], precision: str, tolerance: float
) -> None:
    """Within 0.002 of the score in float32 and 0.02 in float16; what moves is found by whole numbers, so the same."""
    with (
        served(tmp_path, device="cuda", precision=precision) as running,
        Client(running.url, timeout=240) as client,
    ):
        said = pushed(client, "cam", [(n * INTERVAL, n, png(image)) for n, image in enumerate(images)])
    scores = [message for message in said if message["type"] == "score"]
    assert [message["frame"] for message in scores] == list(range(FRAMES))
    full = [message for message in scores if message["raw"] is not None]
    assert len(full) > FRAMES // 2
    for message in full:
        expected = table[message["frame"]]
        assert message["score"] == pytest.approx(float(expected["score"]), abs=tolerance)
