"""A camera that cannot be opened leaves nothing behind; `python -m bench.failed_opens --count 1000` is the long run."""

from __future__ import annotations

from bench.failed_opens import fail_opens


def test_failed_opens_leave_nothing_behind() -> None:
    growth = fail_opens(150)
    assert growth.tries >= 150
    for rss, descriptors, threads in (growth.child, growth.parent):
        assert rss < 20e6
        assert abs(descriptors) <= 20  # one for each of the 20 cameras may be open at either time, not one for each try
        assert threads == 0
