"""Bad data against everything that reads what strangers send: crashes, hangs, unclean errors, leaks.

    python -m bench.fuzz --cases 10000

Every case is drawn from its number, so `--cases 1 --seed N` brings one back.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field

from bench.fuzz_cases import KINDS
from service.children import Child
from service.wire import Message, WireError

HANG = 60.0
"""Seconds after which a case hangs; the machine may be busy."""

WARM = 0.3  # of the cases: what is loaded once is loaded by then


@dataclass
class Report:
    """What came of the cases.

    Attributes:
        cases: how many.
        crashes, hangs, unclean: one line each.
        rss, descriptors, threads: more at the end than after the first third, in the child that bore them.
    """

    cases: int
    crashes: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    unclean: list[str] = field(default_factory=list)
    rss: int = 0
    descriptors: int = 0
    threads: int = 0

    @property
    def good(self) -> bool:
        """Whether nothing broke. Memory is for the reader to judge."""
        return not (self.crashes or self.hangs or self.unclean or self.descriptors > 0 or self.threads > 0)


def fuzz(cases: int, seed: int = 0) -> Report:
    """Have so many cases borne, of every kind in turn."""
    report = Report(cases)
    child = Child("bench.fuzz_cases")
    warm: Message | None = None
    last: Message | None = None
    try:
        for at in range(cases):
            number = seed + at
            kind = list(KINDS)[number % len(KINDS)]
            ended, last = _bear(child, kind, number)
            if last is None:
                (report.hangs if ended == "hangs" else report.crashes).append(f"{kind} {number}: {ended}")
                child.kill()
                child, warm = Child("bench.fuzz_cases"), None
                continue
            if last.text("wrong"):
                report.unclean.append(f"{kind} {number}: {last.text('wrong')}")
            if warm is None and at >= WARM * cases:
                warm = last
    finally:
        child.kill()
    if warm is not None and last is not None:
        report.rss, report.descriptors, report.threads = (
            last.number(name) - warm.number(name) for name in ("rss", "descriptors", "threads")
        )
    return report


def _bear(child: Child, kind: str, seed: int) -> tuple[str, Message | None]:
    """How the child ended, or its word that it bore the case."""
    try:
        child.wire.send(Message("bear", {"case": kind, "seed": seed}))
        found = child.wire.receive(HANG)
    except TimeoutError:
        return "hangs", None
    except (OSError, WireError):
        found = None
    return (child.ending(), None) if found is None else ("", found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="number of the first case")
    given = parser.parse_args()
    started = time.monotonic()
    report = fuzz(given.cases, given.seed)
    print(f"{report.cases} cases in {time.monotonic() - started:.0f} s, of {len(KINDS)} kinds: {', '.join(KINDS)}")
    for name in ("crashes", "hangs", "unclean"):
        lines = getattr(report, name)
        print(f"  {name}: {len(lines)}")
        for line in lines[:20]:
            print(f"    {line}")
    print(f"  more at the end: {report.rss / 1e6:+.1f} MB, {report.descriptors:+d} descriptors, ", end="")
    print(f"{report.threads:+d} threads")
    sys.exit(not report.good)


if __name__ == "__main__":
    main()
