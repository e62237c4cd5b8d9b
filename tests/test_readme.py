"""The text of the README is so: its targets, its figures, its links. What it has of code is run by tests/docs."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.conftest import ROOT
from tests.model.detectors import config

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([a-z-]+)", README))))
def test_make_knows_the_target_named_in_the_text(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


def test_settings_named_in_the_text_are_the_defaults() -> None:
    defaults = config()
    text = " ".join(README.split())
    assert f"The last {defaults.window} frames of a cell" in text
    assert f"over the last {defaults.smoothing:g} s" in text
    assert f"cells of {defaults.cell}×{defaults.cell} pixels" in text
    assert defaults.recent == 2 and "that of the window's last two frames" in text
    assert defaults.members == 2 and "the mean over two autoencoders" in text


def test_its_figures_are_those_of_the_page_of_quality() -> None:
    page = (ROOT / "docs/quality.md").read_text(encoding="utf-8")
    measured = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("|")]
    table = re.search(r"(?m)^\| UCSD Ped2 .*\n.*\n((?:\|.*\n)+)", README)
    assert table is not None
    for line in table[1].splitlines():
        name, mean, spread = (cell.strip() for cell in line.split("|")[1:-1])
        assert [mean, spread] in [cells[2:4] for cells in measured if cells[0] == name], name


def test_links_lead_to_files() -> None:
    targets = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert targets
    assert [link for link in targets if not (ROOT / link).exists()] == []


def test_the_picture_is_small() -> None:
    assert (ROOT / "docs/img/timeline.png").stat().st_size < 300_000
