"""Run in the image by docker/smoke.sh: the service as the image starts it, from its first start to its second."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import av
import cv2
import httpx2

from service.client import Client, Message, ServiceError

DATA = Path(os.environ["FRAMEWATCH_DATA_DIR"])
FRAME_RATE = 10.0
FRAMES = 750  # of the demo's clip
PUSHED = 150  # of these, over the websocket
STREAM = "smoke"


def say(text: str) -> None:
    print(f"smoke: {text}", flush=True)


def check(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"smoke: FAILED: {what}")
    say(f"ok: {what}")


@contextmanager
def service() -> Generator[tuple[str, subprocess.Popen[bytes]], None, None]:
    """The service by the image's own settings, with the demo's model, on a free port; ready when it is handed out."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    started = time.monotonic()
    process = subprocess.Popen(
        ["framewatch", "serve"], env=os.environ | {"FRAMEWATCH_MODEL": "demo", "FRAMEWATCH_PORT": str(port)}
    )
    try:
        while not _ready(url):
            check_alive(process)
            if time.monotonic() - started > 300:
                raise SystemExit("smoke: FAILED: not ready after five minutes")
            time.sleep(0.1)
        say(f"ok: ready {time.monotonic() - started:.1f} s after its start")
        yield url, process
    finally:
        process.kill()
        process.wait()


def check_alive(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        raise SystemExit(f"smoke: FAILED: the service ended with {process.returncode}")


def _ready(url: str) -> bool:
    try:
        with Client(url, timeout=5) as client:
            return client.ready() == []
    except httpx2.TransportError:  # not listening yet
        return False


def terminate(process: subprocess.Popen[bytes]) -> None:
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    code = process.wait(30)
    check(code == 0, f"SIGTERM: ended with {code} in {time.monotonic() - started:.1f} s")


def footage() -> tuple[Path, list[bytes]]:
    """The demo's clip, in which a cyclist comes where people walk: as a video, and frame by frame as JPEG."""
    path = Path(str(files("model") / "data" / "demo.mp4"))
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    return path, [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]


def first() -> None:
    check(os.getuid() != 0, f"runs as user {os.getuid()}")
    for folder in ("/", "/usr", "/opt/framewatch", str(Path(av.__file__).parent)):
        check(not os.access(folder, os.W_OK), f"cannot write to {folder}")
    video, frames = footage()
    check(len(frames) == FRAMES, f"the demo's clip has {FRAMES} frames")
    with service() as (url, process):
        key = subprocess.run(["framewatch", "key", "show"], check=True, capture_output=True, text=True).stdout.strip()
        try:
            with Client(url) as stranger:
                stranger.streams()
            check(False, "a request without a key is refused")
        except ServiceError as error:
            check(error.status == 401, "a request without a key is refused")
        with Client(url, key=key, timeout=120) as client:
            rows = client.job_scores(client.wait_for_job(client.post_videos([video])["id"])["id"])
            check(len(rows) == FRAMES, f"posted a video: {FRAMES} frames, {len(rows)} scores")
            check(any(row["state"] == "anomalous" for row in rows), "the cyclist in it is anomalous")
            client.create_stream(id=STREAM, policy="every")
            with client.ingest(STREAM, header=True) as sender:
                start = time.time()
                for number, frame in enumerate(frames[:PUSHED]):
                    sender.send(frame, captured=start + number / FRAME_RATE)
                said = list(sender.finish())
            scores = [message for message in said if message["type"] == "score"]
            check(len(scores) == PUSHED, f"sent {PUSHED} frames over the websocket: {len(scores)} scores")
            metrics = client.metrics()
            check(f'framewatch_stream_scored_total{{stream="{STREAM}"}} {PUSHED}.0' in metrics, "metrics count them")
            check(client.request("POST", "/v1/streams/demo").status_code == 201, "made the demo stream")
            while client.stream("demo")["scored"] < 20:
                check_alive(process)
                time.sleep(0.2)
            say(f"ok: it is read and scored: {client.stream('demo')['health']}")
            followed: list[Message] = []
            closed: list[int] = []
            follower = threading.Thread(target=_follow, args=(url, key, followed, closed))
            follower.start()
            while not followed:
                time.sleep(0.05)
            terminate(process)
            follower.join(10)
            check(followed[-1]["type"] == "bye" and closed == [1012], "a follower was told that it restarts")


def _follow(url: str, key: str, followed: list[Message], closed: list[int]) -> None:
    with Client(url, key=key) as client:
        try:
            for message in client.follow(STREAM):
                followed.append(message)
        except ServiceError as error:
            closed.append(error.status)


def again() -> None:
    with service() as (url, process):
        key = (DATA / "admin.key").read_text().strip()
        with Client(url, key=key) as client:
            check({stream["id"] for stream in client.streams()} == {STREAM, "demo"}, "kept: the streams")
            kept = [score["seq"] for score in client.scores(STREAM)]
            check(kept == list(range(1, PUSHED + 1)), f"kept: its {PUSHED} scores")
            jobs = list(client.jobs())
            check(len(client.job_scores(jobs[0]["id"])) == FRAMES, "kept: the video's scores")
        terminate(process)
    say("all is well")


if __name__ == "__main__":
    {"first": first, "again": again}[sys.argv[1]]()
