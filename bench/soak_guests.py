"""Who comes and goes in the soak: clients good and bad, cameras that work and that do not."""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from bench.fuzz_cases import mutate
from bench.running import Running
from service.client import Client, ServiceError
from tests.model.detectors import INTERVAL, pictures
from tests.service.live import jpeg, png
from tests.service.readers.servers import Connection, FakeCamera, answering, mjpeg, silent

RESIDENT = "resident"
"""A stream that is there all the time, for those who follow."""

FRAMES = [png(image) for image in pictures(40)]
_SHOTS = [jpeg(image) for image in pictures(40, seed=5)]
_EXPECTED = (404, 409, 413, 415, 422, 429, 503, 1000, 1003, 1006, 1008, 1009, 1013)
"""What guests may be told: others come and go at the same time, and some of them ask for it."""
PATIENCE = 300.0
"""Seconds for an answer: the machine may be busy with other work, which is no fault of the service."""

_PATIENT: Final[dict[str, Any]] = {"proxy": None, "open_timeout": PATIENCE, "ping_interval": None}
_PINGS = "ping timeout"
"""In the reason with which a connection is closed whose pings were not answered in time."""


@contextmanager
def cameras() -> Iterator[Mapping[str, str]]:
    """URLs of cameras by what they do."""

    def flap(connection: Connection) -> None:
        mjpeg(_SHOTS[:5], interval=0.05)(connection)

    kinds = {
        "good": mjpeg(_SHOTS, interval=0.1, again=True),
        "flapping": flap,
        "silent": silent,
        "stalling": _stall,
        "absent": answering("404 Not Found"),
        "locked": answering("401 Unauthorized", 'WWW-Authenticate: Basic realm="x"'),
        "busy": answering("503 Busy"),
        "nonsense": lambda connection: connection.send(os.urandom(2000)),
    }
    with ExitStack() as opened:
        found = {name: opened.enter_context(FakeCamera(handler)).url() for name, handler in kinds.items()}
        yield {**found, "off": "http://127.0.0.1:9/live", "rtsp off": "rtsp://127.0.0.1:9/live"}


def _stall(connection: Connection) -> None:
    mjpeg(_SHOTS[:10], interval=0.05)(connection)
    connection.wait(20)


class Guests:
    """One after the other, each of a kind that is drawn.

    Attributes:
        done: how often each kind came.
        failed: what went otherwise than it should.
        late: what was not answered in time.
    """

    def __init__(self, running: Running, cams: Mapping[str, str], folder: Path, dice: random.Random) -> None:
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.late: Counter[str] = Counter()
        self._running = running
        self._ws = running.url.replace("http", "ws", 1)
        self._cams = cams
        self._dice = dice
        self._path = folder / f"clip-{dice.random()}.zip"
        self._kinds: dict[str, tuple[Callable[[Client], None], float]] = {
            "push": (self._push, 4),
            "vanish": (self._vanish, 4),
            "follow": (self._follow, 4),
            "event stream": (self._event_stream, 2),
            "never read": (self._never_read, 2),
            "garbage": (self._garbage, 4),
            "camera": (self._camera, 4),
            "video": (self._video, 2),
            "look": (self._look, 2),
            "change": (self._change, 1),
            "kill a reader": (self._kill_reader, 0.15),
        }
        with zipfile.ZipFile(self._path, "w") as archive:
            for n, frame in enumerate(_SHOTS):
                archive.writestr(f"01/{n:03}.jpg", frame)

    def once_each(self) -> None:
        """One guest of each kind, so that all that is loaded once is loaded."""
        with Client(self._running.url, timeout=PATIENCE) as client:
            for name in self._kinds:
                self._receive(name, client)

    def run(self, stopping: threading.Event) -> None:
        """Until it is told to stop."""
        weights = [weight for _, weight in self._kinds.values()]
        while not stopping.is_set():
            with Client(self._running.url, timeout=PATIENCE) as client:
                for name in self._dice.choices(list(self._kinds), weights, k=5):
                    if not stopping.is_set():
                        self._receive(name, client)

    def _receive(self, name: str, client: Client) -> None:
        try:
            self._kinds[name][0](client)
        except (TimeoutError, httpx2.TimeoutException) as error:
            self.late[f"{name}: {type(error).__name__}: {error}"[:300]] += 1
        except ServiceError as error:
            if _PINGS in str(error):
                self.late[f"{name}: {error}"[:300]] += 1
            elif error.status not in _EXPECTED:
                self.failed[f"{name}: {error}"[:300]] += 1
        except (OSError, WebSocketException, httpx2.TransportError) as error:
            told = self.late if _PINGS in str(error) else self.failed
            told[f"{name}: {type(error).__name__}: {error}"[:300]] += 1
        self.done[name] += 1

    def _id(self) -> str:
        return f"cam{self._dice.randrange(10**9)}"

    def _push(self, client: Client) -> None:
        id = self._id()
        client.create_stream(id=id, policy=self._dice.choice(["every", "latest"]), threshold=0.01, minimum=0)
        try:
            with client.ingest(id, header=True) as sender:
                for n in range(self._dice.randint(1, 60)):
                    sender.send(FRAMES[n % len(FRAMES)], captured=time.time() + n * INTERVAL, number=n)
                list(sender.finish())
        finally:
            client.delete_stream(id, purge=self._dice.random() < 0.5)

    def _vanish(self, client: Client) -> None:
        """In the middle of its frames; the stream is removed, or left to the next one, or followed meanwhile."""
        id = self._id()
        client.create_stream(id=id, policy="every")
        try:
            with connect(f"{self._ws}/v1/streams/{id}/ingest", **_PATIENT) as end:
                for frame in FRAMES[: self._dice.randint(0, 30)]:
                    end.send(frame)
                end.socket.shutdown(socket.SHUT_RDWR)
        finally:
            client.delete_stream(id, purge=True)

    def _follow(self, client: Client) -> None:
        since = self._dice.choice(["", "?since=1:0", "?since=1:5", "?batch_ms=50"])
        path = self._dice.choice([f"/v1/streams/{RESIDENT}/scores", "/v1/scores"])
        with connect(f"{self._ws}{path}{since}", **_PATIENT) as end:
            with suppress(TimeoutError):
                for _ in range(self._dice.randint(1, 30)):
                    end.recv(timeout=2)
            if self._dice.random() < 0.5:
                end.socket.shutdown(socket.SHUT_RDWR)

    def _event_stream(self, client: Client) -> None:
        url = f"{self._running.url}/v1/streams/{RESIDENT}/scores/sse"
        with suppress(httpx2.ReadTimeout), httpx2.stream("GET", url, timeout=3) as answer:
            for number, _ in enumerate(answer.iter_lines()):
                if number > 10:
                    break

    def _never_read(self, client: Client) -> None:
        place = urlsplit(self._running.url)
        with socket.socket() as end:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            end.connect((place.hostname, place.port))
            end.sendall(
                f"GET /v1/scores?since=1:0 HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            time.sleep(self._dice.uniform(0, 3))

    def _garbage(self, client: Client) -> None:
        match self._dice.randrange(4):
            case 0:
                place = urlsplit(self._running.url)
                with socket.create_connection((place.hostname, place.port), timeout=10) as end:
                    end.sendall(self._dice.randbytes(self._dice.randint(1, 5000)))
            case 1:
                client.request("POST", "/v1/streams", content=self._dice.randbytes(500))
            case 2:
                client.request("PUT", "/v1/videos/x.mp4", content=self._dice.randbytes(5000))
            case _:
                id = self._id()
                client.create_stream(id=id)
                try:
                    with client.ingest(id) as sender:
                        for _ in range(self._dice.randint(1, 20)):
                            sender.send(mutate(self._dice.choice(_SHOTS), self._dice))
                        if self._dice.random() < 0.5:
                            list(sender.finish())
                finally:
                    client.delete_stream(id, purge=True)

    def _camera(self, client: Client) -> None:
        id = self._id()
        client.create_stream(id=id, source=self._cams[self._dice.choice(list(self._cams))])
        time.sleep(self._dice.uniform(0, 4))
        client.delete_stream(id, purge=True)

    def _video(self, client: Client) -> None:
        how = self._dice.randrange(3)
        if how == 0:
            client.post_videos([self._path], wait=True)
            return
        path = self._path
        if how == 1:
            path = self._path.with_suffix(".bad.zip")
            path.write_bytes(mutate(self._path.read_bytes(), self._dice))
        job = client.put_video(path)
        if self._dice.random() < 0.5:
            client.delete_job(job["id"])
        ended = client.wait_for_job(job["id"], seconds=PATIENCE)
        if ended["state"] in ("done", "failed", "cancelled"):
            client.delete_job(job["id"])

    def _look(self, client: Client) -> None:
        for path in ("/v1/streams", "/v1/events", "/v1/jobs", "/v1/models", "/openapi.json", "/docs", "/metrics"):
            client.request("GET", path)
        list(client.scores(RESIDENT, limit=100))[:1]

    def _change(self, client: Client) -> None:
        client.change_stream(RESIDENT, threshold=self._dice.uniform(0.1, 0.9))

    def _kill_reader(self, client: Client) -> None:
        for pid in self._running.children():
            with suppress(OSError):
                if b"service.readers.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
                    return


def keep_pushing(url: str, stopping: threading.Event, failed: Counter[str], late: Counter[str]) -> None:
    """Sends frames of the resident stream at the model's rate until it is told to stop."""
    number = 0
    while not stopping.is_set():
        try:
            ws = url.replace("http", "ws", 1)
            with connect(f"{ws}/v1/streams/{RESIDENT}/ingest?scores=0", **_PATIENT) as end:
                while not stopping.wait(INTERVAL):
                    end.send(FRAMES[number % len(FRAMES)])
                    number += 1
        except (WebSocketException, OSError) as error:
            told = late if isinstance(error, TimeoutError) or _PINGS in str(error) else failed
            told[f"resident: {error}"[:300]] += 1
            stopping.wait(1)
