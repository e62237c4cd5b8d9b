"""docs/benchmarks.md: a section for each benchmark, replaced by the one that measured it."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.running import ROOT
from model.atomic import atomic_path

PAGE = ROOT / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Each section comes from the command above it, in one run on one machine, with nothing else running there unless it says
so. Ratios carry over to other machines better than the figures themselves.
"""


def command_of(program: str, arguments: Sequence[str] | None) -> str:
    """The command that measures the same again.

    Args:
        program: such as `make bench` or `python -m bench.wall`.
        arguments: its own; None: those of this process.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if program.startswith("make "):
        given = [f"ARGS={shlex.quote(shlex.join(given))}"] if given else []
        return " ".join([program, *given])
    return f"{program} {shlex.join(given)}".strip()


def put_section(title: str, command: str, text: str, *, page: Path | None = None) -> None:
    """Puts a section at the place of the one with its title, or at the end.

    Args:
        title: of the section.
        command: that measures it.
        text: Markdown, without a heading.
        page: None: `PAGE`.
    """
    page = PAGE if page is None else page
    found = page.read_text(encoding="utf-8") if page.exists() else HEAD
    head, *sections = re.split(r"(?m)^(?=## )", found)
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    section = f"## {title}\n\n```sh\n{command}\n```\n\n{text.strip()}\n\nMeasured on {day}.\n"
    kept = [one.strip() + "\n" for one in sections]
    places = [at for at, one in enumerate(kept) if one.startswith(f"## {title}\n")]
    if places:
        kept[places[0]] = section
    else:
        kept.append(section)
    with atomic_path(page) as path:
        path.write_text("\n".join([head.strip() + "\n", *kept]), encoding="utf-8")
