"""A service that is killed while a camera is learned: that goes on at the next start, and nothing is left over."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from bench.running import Running
from service.client import Client
from tests.e2e.test_killed import LIMITS
from tests.training.drawn import write_moving_video
from tests.waiting import wait_for


def trainings(running: Running) -> list[int]:
    """Processes that learn."""
    return [pid for pid in running.children() if learns(pid)]


def learns(pid: int) -> bool:
    """Whether there is such a process, and it learns."""
    with suppress(OSError):
        return b"service.learning.child" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def test_a_learning_goes_on_after_its_service_was_killed_in_the_middle(tmp_path: Path) -> None:
    data = tmp_path / "data"
    flags = (*LIMITS, "--source", f"yard={write_moving_video(tmp_path / 'yard.mp4', 120)}")

    def start() -> Running:
        return Running(data, model=None, flags=flags).wait(ready=False)

    with start() as first, Client(first.url, timeout=60) as client:
        client.create_stream(id="yard", source="yard", loop=True)
        id = client.learn("yard", minutes=0.12)["id"]
        wait_for(lambda: client.learning(id)["progress"] > 0.3)
        first.kill()
    recorded = set((data / "learning" / id).rglob("*.jpg"))
    assert recorded
    with start() as second, Client(second.url, timeout=60) as client:
        assert client.learning(id)["state"] == "recording"
        wait_for(lambda: client.learning(id)["state"] == "training")
        assert recorded < set((data / "learning" / id).rglob("*.jpg")), "what was recorded before counts"
        wait_for(lambda: trainings(second))
        (child,) = trainings(second)
        second.kill()
    wait_for(lambda: not learns(child))
    with start() as third, Client(third.url, timeout=60) as client:
        wait_for(lambda: trainings(third))
        going = client.learning(id)
        assert (going["state"], going["recorded"] >= 7.2) == ("training", True)
        client.cancel_learning(id)
        assert client.wait_for_learning(id, seconds=60)["state"] == "cancelled"
        assert not list((data / "learning").iterdir()), "the footage is gone"
        assert not trainings(third)
