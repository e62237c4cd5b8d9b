"""Records for the tests of the store."""

from __future__ import annotations

from pathlib import Path

from model.states import State
from service.records import Event, Job, Score
from service.store import Store

T0 = 1_700_000_000.0


def score(stream: str, seq: int, *, at: float | None = None, smoothed: float | None = 0.25) -> Score:
    """Score number `seq` of a stream of 10 frames a second, scored 20 ms after its capture."""
    captured = T0 + seq / 10 if at is None else at
    return Score(stream, seq, 3 * seq, seq / 10, captured, captured + 0.02, 0.7, 0.4, smoothed, 1.03, State.NORMAL)


def fill(store: Store, stream: str, first: int, last: int) -> None:
    """Commits scores number `first` to `last`, and waits for them."""
    assert store.commit_scores([score(stream, seq) for seq in range(first, last + 1)]).result()


def seqs(store: Store, stream: str, limit: int = 100_000) -> list[int]:
    return [item.seq for item in store.scores(stream, limit=limit)]


def event(stream: str = "door", *, first_seq: int = 5, epoch: int = 1) -> Event:
    at = T0 + first_seq / 10
    return Event(0, stream, epoch, at, first_seq, peaked=at, peak=0.6, peak_seq=first_seq, peak_frame=3 * first_seq)


def job(id: str, state: str = "queued") -> Job:
    return Job(id, state, T0, ("a.mp4", "b.mp4"), {"fps": 10})  # type: ignore[arg-type]


def bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
