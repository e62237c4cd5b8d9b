"""The README does what it says: its commands run, its code runs, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from service.cli import app
from tests.conftest import ROOT
from tests.model.detectors import HEIGHT, WIDTH, config
from tests.training.drawn import write_clips, write_moving_video

README = (ROOT / "README.md").read_text(encoding="utf-8")

SETTINGS = {"train": ["--size", "64", "--steps", "20", "--no-self-test"]}
"""Added to a verb's options: the defaults would learn for minutes."""

NOT_RUN = {
    "framewatch demo": "it takes two minutes; tests/training runs it with a small plan",
    "pip install .": "CI installs the package before the tests",
    "python3 -m venv .venv": "an environment is made before the tests",
    ".venv/bin/pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu": "it needs a network",
}
"""Commands that no test here carries out, and why. Those of make are looked up in the Makefile instead."""

WRITTEN_BY_MAKE = {"docs/quality.md"}
TEST_CLIPS = ("01", "02")
FRAMES = 24


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Every line of the README's shell blocks, without comments; continued lines in one."""
    text = "\n".join(blocks("sh")).replace("\\\n", " ")
    return [" ".join(shlex.split(line, comments=True)) for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which everything lies that the README's commands name, small."""
    folder = tmp_path_factory.mktemp("readme")
    for parent in ("normal", "training_videos"):
        write_clips(folder / parent, 5, FRAMES)
    for parent in ("clips", "test", "testing_videos"):
        write_clips(folder / parent, len(TEST_CLIPS), FRAMES, seed=9)
    write_moving_video(folder / "video.mp4", FRAMES)
    write_clips(folder / "out/demo/footage/test", len(TEST_CLIPS), FRAMES, seed=9)
    labels = np.zeros(FRAMES, np.uint8)
    labels[FRAMES // 2 :] = 1
    np.savez(folder / "labels.npz", allow_pickle=False, **dict.fromkeys(TEST_CLIPS, labels))
    for clip in TEST_CLIPS:
        (folder / "masks" / clip).mkdir(parents=True)
        for number, label in enumerate(labels):
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            mask[: HEIGHT // 2, : WIDTH // 2] = 255 * label
            cv2.imwrite(str(folder / "masks" / clip / f"{number:05d}.png"), mask)
    ids = [f"{int(clip)}_{number}" for clip in TEST_CLIPS for number in range(FRAMES)]
    (folder / "row_ids.csv").write_text("\n".join(["Id", *ids]) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


def run(command: str) -> None:
    """Carries out one `framewatch` command in this process; torch is imported once for all of them."""
    name, verb, *rest = shlex.split(command)
    assert name == "framewatch"
    code = app([verb, *rest, *SETTINGS.get(verb, [])], prog_name="framewatch", standalone_mode=False)
    assert not code, command


def test_every_command_of_the_readme_is_known_to_these_tests() -> None:
    strangers = [line for line in commands() if line.split()[0] not in ("framewatch", "make") and line not in NOT_RUN]
    assert strangers == []


@pytest.mark.parametrize("command", NOT_RUN)
def test_what_is_not_run_is_in_the_readme(command: str) -> None:
    assert command in commands()


@pytest.mark.parametrize("command", sorted({line for line in commands() if line.startswith("make ")}))
def test_make_knows_the_target(command: str) -> None:
    subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([a-z-]+)", README))))
def test_make_knows_the_target_named_in_the_text(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


def test_the_commands_run_in_order_and_then_the_python_code(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    after_the_demo: list[str] = []
    others: list[str] = []
    for command in commands():
        if command.startswith("framewatch") and command not in NOT_RUN:
            (after_the_demo if "out/demo/" in command else others).append(command)
    for command in others:
        run(command)
    shutil.copy(desk / "model.safetensors", desk / "out/demo")
    for command in after_the_demo:
        run(command)
    assert {"model.safetensors", "scores.csv", "timeline.png", "evaluation.png", "submission.csv"} <= {
        path.name for path in desk.iterdir()
    }
    assert (desk / "submission.csv").read_text().startswith("Id,Predicted\n1_0,")
    assert len(list((desk / "heat" / "video").glob("*.png"))) > 0
    capsys.readouterr()
    for code in blocks("python"):
        exec(compile(code, "README.md", "exec"), {})  # noqa: S102 (the point of the test)
    assert len(capsys.readouterr().out.splitlines()) == FRAMES


def test_settings_named_in_the_text_are_the_defaults() -> None:
    defaults = config()
    text = " ".join(README.split())
    assert f"The last {defaults.window} frames of a cell" in text
    assert f"over the last {defaults.smoothing:g} s" in text
    assert f"cells of {defaults.cell}×{defaults.cell} pixels" in text
    assert defaults.recent == 2 and "that of the window's last two frames" in text
    assert defaults.members == 2 and "the mean over two autoencoders" in text


def test_links_lead_to_files() -> None:
    targets = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert targets
    assert [link for link in targets if not (ROOT / link).exists() and link not in WRITTEN_BY_MAKE] == []


def test_blocks_are_of_languages_that_are_tested() -> None:
    assert set(re.findall(r"^```(\S+)$", README, re.MULTILINE)) <= {"sh", "python"}


def test_the_picture_is_small() -> None:
    assert (ROOT / "docs/img/timeline.png").stat().st_size < 300_000
