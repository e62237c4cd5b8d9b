"""The README, the pages of docs/, and the code blocks in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

DOCS = ROOT / "docs"
README = ROOT / "README.md"
GENERATED = frozenset(
    ["quality.md", "quality-notes.md", "quality-other.md", "quality-learned.md", "benchmarks.md", "licences.md"]
)
"""Pages that commands write: other tests hold them to that."""

PAGES = [README, *sorted(path for path in DOCS.glob("*.md") if path.name not in GENERATED)]


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: what stands behind the fence.
        text: what is in it.
    """

    language: str
    text: str


def blocks(page: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a page, in order; of these languages, if any are given."""
    found = re.findall(r"^```(\S*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [Block(*one) for one in found if not languages or one[0] in languages]


def commands(block: Block) -> list[str]:
    """The commands of a shell block, as they stand there; continued lines in one, without comments."""
    lines = re.sub(r" *\\\n *", " ", block.text).splitlines()
    return [line.partition(" # ")[0].strip() for line in lines if line.strip() and not line.startswith("#")]


def program(command: str) -> str:
    """What a command runs, whatever variables are set for it."""
    return next(word for word in shlex.split(command) if not re.match(r"[A-Z_]+=", word))
