"""A service in a process of its own that is killed, told to stop, and kept busy, as `framewatch serve` runs it."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from bench.running import Running, Vitals
from service.client import Client, Message, ServiceError
from tests.e2e.given import footage
from tests.e2e.serving import vanish
from tests.model.detectors import INTERVAL, pictures
from tests.model.drawn import write_frames
from tests.service.command_line import write_checkpoint
from tests.service.live import png
from tests.waiting import wait_for

FRAMES = [png(image) for image in pictures(20)]
JOB_FRAMES = 600
CAMS = ("gate", "yard")
LIMITS = ("--min-free-disk-bytes", 0, "--device", "cpu", "--precision", "float32")


@dataclass
class Load:
    """Clients that push frames and read the scores until the service is gone.

    Attributes:
        announced: (stream, epoch, seq) of every durable score that a client has read.
        ended: the last message of each stream, and its close code.
    """

    url: str
    announced: set[tuple[str, int, int]] = field(default_factory=set)
    ended: dict[str, tuple[Message, int]] = field(default_factory=dict)
    _threads: list[threading.Thread] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def start(self, start: float) -> None:
        """Two threads for each stream: one sends, one reads."""
        for id in CAMS:
            self._threads.append(threading.Thread(target=self._push, args=(id, start)))
            self._threads.append(threading.Thread(target=self._read, args=(id,)))
        for thread in self._threads:
            thread.start()

    def until(self, count: int, seconds: float = 120.0) -> None:
        """Waits for so many announced scores."""
        until = time.monotonic() + seconds
        while len(self.announced) < count:
            assert time.monotonic() < until, f"{len(self.announced)} of {count} scores"
            time.sleep(0.005)

    def join(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive()

    def _push(self, id: str, start: float) -> None:
        with suppress(ServiceError, ConnectionClosed, OSError), Client(self.url, timeout=60) as client:  # noqa: SIM117
            with client.ingest(id, header=True, scores=False) as sender:
                number = 0
                while not self._stopping.is_set():
                    sender.send(FRAMES[number % 20], captured=start + number * INTERVAL, number=number)
                    number += 1

    def _read(self, id: str) -> None:
        said: Message = {}
        try:
            with Client(self.url, timeout=60) as client:
                for said in client.follow(id):
                    if said["type"] == "score" and said.get("durable", True):
                        self.announced.add((id, said["epoch"], said["seq"]))
        except (ServiceError, OSError) as error:
            self.ended[id] = (said, error.status if isinstance(error, ServiceError) else 0)
        else:
            self.ended[id] = (said, 1000)


@dataclass
class Killed:
    """A service that was killed under load, and runs again.

    Attributes:
        running: the second run.
        announced: scores that clients of the first run had read.
        job: id of one that was running.
    """

    running: Running
    announced: set[tuple[str, int, int]]
    job: str


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    folder = tmp_path_factory.mktemp("killed")
    model = write_checkpoint(folder / "door.safetensors")
    write_frames(folder / "film" / "01", [f"{number}.png" for number in range(12)])
    flags = (*LIMITS, "--source", f"film={folder / 'film'}")
    with Running(folder / "data", model=model, flags=flags).wait() as first, Client(first.url, timeout=60) as client:
        for id in CAMS:
            client.create_stream(id=id, policy="every", threshold=0.7)
        client.create_stream(id="film", source="film", loop=True, policy="latest")
        job = client.put_video(footage(folder, JOB_FRAMES))["id"]
        load = Load(first.url)
        load.start(0.0)
        load.until(random.Random(3).randint(60, 120))
        while client.job(job)["state"] == "queued":
            time.sleep(0.01)
        first.kill()
        load.join()
    with Running(folder / "data", model=model, flags=flags).wait() as second:
        yield Killed(second, load.announced, job)


@pytest.fixture
def client(killed: Killed) -> Iterator[Client]:
    with Client(killed.running.url, timeout=120) as one:
        yield one


def test_every_score_that_was_announced_before_sigkill_is_there(killed: Killed, client: Client) -> None:
    assert killed.announced
    for id in CAMS:
        stored = {(id, score["epoch"], score["seq"]) for score in client.scores(id)}
        announced = {one for one in killed.announced if one[0] == id}
        assert announced and announced <= stored
        seqs = sorted(seq for _, _, seq in stored)
        assert seqs == list(range(1, len(seqs) + 1))


def test_streams_come_back_with_their_options_and_go_on(killed: Killed, client: Client) -> None:
    assert {stream["id"] for stream in client.streams()} >= {*CAMS, "film"}
    assert client.stream("gate")["threshold"] == pytest.approx(0.7)
    with client.ingest("gate", header=True) as sender:
        for number, frame in enumerate(FRAMES):
            sender.send(frame, captured=1e6 + number * INTERVAL)
        scores = [message for message in sender.finish() if message["type"] == "score"]
    assert {message["epoch"] for message in scores} == {2}
    assert [message["seq"] for message in scores] == list(range(1, 21))
    wait_for(lambda: client.stream("film")["health"] == "live" and client.stream("film")["frames"] > 0)


def test_a_job_that_sigkill_cut_off_has_every_frame_once(killed: Killed, client: Client) -> None:
    ended = client.wait_for_job(killed.job, seconds=240)
    assert (ended["state"], ended["frames"]) == ("done", JOB_FRAMES)
    assert [row["frame"] for row in client.job_scores(killed.job)] == list(range(JOB_FRAMES))
    assert list((killed.running.log.parent / "uploads").iterdir()) == []


def visit(url: str, number: int) -> None:
    """One client that comes and goes, of every kind in turn."""
    ws = url.replace("http", "ws", 1)
    match number % 6:
        case 0:
            with connect(f"{ws}/v1/streams/yard/scores", proxy=None) as end:
                end.recv()
        case 1:
            with connect(f"{ws}/v1/scores?since=1:1", proxy=None) as end:
                vanish(end)
        case 2:
            with suppress(InvalidHandshake), connect(f"{ws}/v1/streams/yard/ingest", proxy=None) as end:
                for frame in FRAMES[:5]:
                    end.send(frame)
                vanish(end)
        case 3:
            with httpx2.stream("GET", f"{url}/v1/streams/yard/scores/sse", timeout=60) as answer:
                next(answer.iter_lines())
        case 4:
            with suppress(InvalidHandshake), connect(f"{ws}/v1/streams/nowhere/scores", proxy=None):
                pass
        case _:
            place = urlsplit(url)
            with socket.create_connection((place.hostname, place.port), timeout=60) as end:
                end.sendall(random.Random(number).randbytes(300))


def test_clients_that_come_and_go_leave_nothing_behind(killed: Killed, client: Client) -> None:
    running = killed.running
    client.wait_for_job(killed.job, seconds=240)
    client.delete_stream("film")

    def rest() -> Vitals:
        wait_for(lambda: "framewatch_clients 0.0" in client.metrics())
        time.sleep(0.3)
        return running.vitals()

    for number in range(30):
        visit(running.url, number)
    before = rest()
    for number in range(60):
        visit(running.url, number)
    after = rest()  # each kind came ten times: what one of them leaves behind is left ten times
    assert after.descriptors < before.descriptors + 8
    assert after.threads < before.threads + 8
    assert after.rss - before.rss < 25e6
    assert "Traceback" not in running.said


@pytest.mark.parametrize("how", ["put", "post"])
def test_an_upload_goes_to_disk_and_not_into_memory(killed: Killed, client: Client, how: str, tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    with path.open("wb") as file:
        file.write(b"\0\0\0\x18ftypmp42")
        file.truncate(120_000_000)
    before = killed.running.vitals().rss
    job = client.put_video(path) if how == "put" else client.post_videos([path])
    assert killed.running.vitals().rss - before < 40e6
    assert client.wait_for_job(job["id"])["state"] == "failed"
    client.delete_job(job["id"])


def test_sigterm_under_load_drains_and_tells_the_clients(tmp_path: Path) -> None:
    model = write_checkpoint(tmp_path / "door.safetensors")
    flags = (*LIMITS, "--drain-seconds", 30)
    with Running(tmp_path / "data", model=model, flags=flags).wait() as running:
        with Client(running.url, timeout=60) as client:
            for id in CAMS:
                client.create_stream(id=id, policy="every")
        load = Load(running.url)
        load.start(0.0)
        load.until(60)
        children = running.children()
        assert running.stop(120) == 0
        load.join()
        assert "Traceback" not in running.said
        assert "are lost" not in running.said
    for id in CAMS:
        last, code = load.ended[id]
        assert (last["type"], code) == ("bye", 1012), load.ended
    wait_for(lambda: not [pid for pid in children if Path(f"/proc/{pid}").exists()])
