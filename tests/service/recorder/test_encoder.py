"""Clips are encoded by a child."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from service.recorder import spool
from service.recorder.encoder import Encoder
from service.recorder.mp4 import ClipError
from tests.service.recorder.drawn import shows, stills


def test_a_clip_is_encoded_in_a_process_of_its_own(tmp_path: Path) -> None:
    """The real child; that it dies costs one clip."""
    spool.append(tmp_path / "a", stills(5))
    encoder = Encoder()
    try:
        assert encoder.encode(tmp_path / "a", tmp_path / "a.mp4", None).pictures == 5
        shows(tmp_path / "a.mp4", [(n / 10, n) for n in range(5)])
        pid = encoder.pid
        assert pid is not None

        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ClipError, match="the process that encodes clips killed by SIGKILL"):
            encoder.encode(tmp_path / "a", tmp_path / "b.mp4", None)
        assert encoder.encode(tmp_path / "a", tmp_path / "b.mp4", None).pictures == 5
    finally:
        encoder.stop()
        encoder.rest(kill=True)
    with pytest.raises(ClipError, match="stopping"):
        encoder.encode(tmp_path / "a", tmp_path / "c.mp4", None)
