"""The demo stream: a drawn street that is always there, for whoever has no camera at hand yet."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from service.records import StreamOptions, StreamRecord

SOURCE = "framewatch:demo"
"""Its source: no name that the settings can give, and no URL."""

LOOPS = {SOURCE: Path(str(resources.files("model").joinpath("data", "demo.mp4")))}
"""The service's own videos, by their source; each ends as it begins (`training.demo_clip`)."""

RECORD = StreamRecord("demo", "Demo street", SOURCE, StreamOptions(model="demo"), loop=True)
"""The stream, scored with the model that was trained on the same street (`model.checkpoint.bundled`)."""
