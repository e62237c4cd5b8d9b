"""The folder of a learning's footage goes at its end, or when the next one begins; that of a living one stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from service.learning.scratch import PREFIX, scratch_folder
from tests.conftest import ROOT

HOLDING = """
import sys, time
from pathlib import Path
from service.learning.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "clip-00001").mkdir()
    print(folder.name, flush=True)
    time.sleep(600)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_the_folder_is_gone_at_the_end_however_it_comes(tmp_path: Path, error: type[BaseException] | None) -> None:
    def run() -> None:
        with scratch_folder(tmp_path) as folder:
            assert folder.parent == tmp_path
            (folder / "clip").mkdir()
            if error is not None:
                raise error

    if error is None:
        run()
    else:
        with pytest.raises(error):
            run()
    assert names(tmp_path) == []


def test_what_a_killed_run_left_goes_when_the_next_begins_and_no_sooner(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        held = process.stdout.readline().strip()
        with scratch_folder(tmp_path):
            assert held in names(tmp_path)
        assert names(tmp_path) == [held]
        process.kill()
    assert names(tmp_path) == [held]
    with scratch_folder(tmp_path) as folder:
        assert names(tmp_path) == [folder.name]


def test_nothing_else_is_removed(tmp_path: Path) -> None:
    (tmp_path / "footage").mkdir()
    (tmp_path / f"{PREFIX}notes").write_text("mine")
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "footage")
    before = names(tmp_path)
    with scratch_folder(tmp_path):
        pass
    assert names(tmp_path) == before
