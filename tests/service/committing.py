"""A process that commits scores and says on standard output which are acknowledged; the tests of the store kill it.

python -m tests.service.committing endless FOLDER
python -m tests.service.committing limited FOLDER BYTES
"""

from __future__ import annotations

import itertools
import os
import resource
import sys
import time
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from service.store import Store
from tests.service.stored import score

STREAMS = ("a", "b", "c")


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def acknowledge(epoch: int, seq: int, future: Future[bool]) -> None:
    if future.result():
        say(epoch, seq)


def endless(folder: Path) -> None:
    """Commits score after score of three streams; about a hundred commits are under way at a time."""
    store = Store.open(folder)
    pending: list[Future[bool]] = []
    for seq in itertools.count(1):
        future = store.commit_scores([score(stream, seq) for stream in STREAMS])
        future.add_done_callback(partial(acknowledge, store.epoch, seq))
        pending.append(future)
        if len(pending) == 100:
            pending.pop(0).result()


def limited(folder: Path, size: int) -> None:
    """Commits 10,000 scores while files may not grow beyond a size, gets its room back, and says what happened."""
    store = Store.open(folder, retry_s=0.05)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    durable = [
        store.commit_scores([score("a", seq) for seq in range(first, first + 50)]).result()
        for first in range(1, 10_001, 50)
    ]
    say(durable[0], durable[-1], store.degraded)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    while store.degraded:
        time.sleep(0.01)
    say(store.commit_scores([score("a", 10_001)]).result(), store.lost)
    store.close()


if __name__ == "__main__":
    if sys.argv[1] == "endless":
        endless(Path(sys.argv[2]))
    else:
        limited(Path(sys.argv[2]), int(sys.argv[3]))
