"""Work that says how far it is may be shown by nobody."""

from __future__ import annotations

import pytest

from model.progress import Progress, no_progress


@pytest.mark.parametrize("total", [3, 0, None])
def test_no_progress_takes_every_word_and_shows_nothing(total: int | None, capfd: pytest.CaptureFixture[str]) -> None:
    shown: Progress = no_progress
    with shown("encoding", total) as tick:
        for done in (1, 2, 0):
            tick(done)
    with shown("learning", total, "step") as tick:
        tick(1)
    assert capfd.readouterr() == ("", "")


def test_no_progress_hides_no_error() -> None:
    with pytest.raises(ZeroDivisionError), no_progress("encoding", None):
        _ = 1 // 0
