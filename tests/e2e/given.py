"""What clients give the service: frames in which something moves, pushed or as a video."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

from model.pictures import Image
from service.client import Client, Message
from service.learning.tap import Tap
from tests.e2e.serving import Served
from tests.model.detectors import INTERVAL, pictures
from tests.service.live import jpeg, png
from tests.waiting import wait_for

FRAMES = [png(image) for image in pictures(40)]


def send(client: Client, id: str, count: int = 20, *, start: float = 0.0) -> list[Message]:
    """Pushes frames, and gives all that comes back."""
    with client.ingest(id, header=True) as sender:
        for n, frame in enumerate(FRAMES[:count]):
            sender.send(frame, captured=start + n * INTERVAL, number=n)
        return list(sender.finish())


def show(service: Served, client: Client, id: str, images: Sequence[Image], *, start: float = 1e9) -> None:
    """Pushes frames to be recorded as if they were 0.1 s apart, no quicker than they are: a recording holds up nobody,
    so it would lose them."""
    member = service.monitor.roster.get(id)
    wait_for(lambda: member.taps)
    before = member.frames_in

    def taken(count: int) -> bool:
        return member.frames_in == before + count and not any(len(cast(Tap, tap)) for tap in tuple(member.taps))

    with client.ingest(id, header=True, scores=False) as sender:
        for at, image in enumerate(images):
            sender.send(jpeg(image), captured=start + at * INTERVAL)
            if at % 16 == 15:
                wait_for(partial(taken, at + 1))
        list(sender.finish())


def footage(folder: Path, count: int) -> Path:
    """A zip of a folder `01` with JPEG frames."""
    path = folder / "clip.zip"
    frames = [jpeg(image) for image in pictures(20)]
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(count):
            archive.writestr(f"01/{n:04d}.jpg", frames[n % len(frames)])
    return path
