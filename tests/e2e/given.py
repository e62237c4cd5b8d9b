"""What clients give the service: frames in which something moves, pushed or as a video."""

from __future__ import annotations

import zipfile
from pathlib import Path

from service.client import Client, Message
from tests.model.detectors import INTERVAL, pictures
from tests.service.live import jpeg, png

FRAMES = [png(image) for image in pictures(40)]


def send(client: Client, id: str, count: int = 20, *, start: float = 0.0) -> list[Message]:
    """Pushes frames, and gives all that comes back."""
    with client.ingest(id, header=True) as sender:
        for n, frame in enumerate(FRAMES[:count]):
            sender.send(frame, captured=start + n * INTERVAL, number=n)
        return list(sender.finish())


def footage(folder: Path, count: int) -> Path:
    """A zip of a folder `01` with JPEG frames."""
    path = folder / "clip.zip"
    frames = [jpeg(image) for image in pictures(20)]
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(count):
            archive.writestr(f"01/{n:04d}.jpg", frames[n % len(frames)])
    return path
