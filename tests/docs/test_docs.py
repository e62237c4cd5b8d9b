"""The documentation does what it says: its commands, its code and its settings run, page by page, in order."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from websockets.sync.client import connect

from service.auth import SCOPES, mint
from service.cli import app
from service.client import Client
from service.settings import Settings
from tests.conftest import ROOT
from tests.docs.pages import DOCS, PAGES, Block, blocks, commands, program
from tests.e2e.serving import Served, served
from tests.model.detectors import HEIGHT, INTERVAL, WIDTH, pictures
from tests.service.command_line import write_checkpoint
from tests.service.live import png
from tests.test_readme import commands as readme_commands
from tests.training.drawn import write_clips, write_moving_video

README = frozenset(readme_commands())
HERE = "127.0.0.1:8000"
FRAMES = 24
SETTINGS = {"train": ["--size", "64", "--steps", "20", "--no-self-test"]}
"""Added to a verb's options: the defaults would learn for minutes."""

NOT_RUN = {
    "docker": "needs an image engine; docker/smoke.sh is what is run of it",
    "docker/smoke.sh": "needs an image engine",
    "RUNNER=run-in-image": "needs an image",
    "pip": "needs a network; CI installs the package before the tests",
    "websocat": "is in no package registry at hand; test_addresses_of_sockets_exist looks at its addresses",
}
"""Programs that are not run, and why."""

NOT_RUN_COMMANDS = {
    "framewatch demo": "it takes two minutes; tests/training runs it with a small plan",
    "framewatch serve --model demo": "it serves until it is stopped; the tests' own service stands for it",
    "framewatch key show": "there is no first key where no key is needed",
}
NOT_RUN_LANGUAGES = {
    "ini": "a unit of systemd",
    "caddyfile": "test_the_proxy_s_example_is_the_file compares it",
    "js": "a browser's; test_javascript_can_be_read looks at its syntax",
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything lies that the pages name, small."""
    folder = tmp_path_factory.mktemp("docs")
    for parent in ("normal", "training_videos"):
        write_clips(folder / parent, 5, FRAMES)
    for parent in ("test", "testing_videos"):
        write_clips(folder / parent, 2, FRAMES, seed=9)
    shutil.make_archive(str(folder / "testing_videos"), "zip", folder / "testing_videos")
    write_moving_video(folder / "video.mp4", FRAMES)
    street = folder / "framewatch-demo/footage/test/02"
    street.mkdir(parents=True)
    video = cv2.VideoCapture(str(ROOT / "model/data/demo.mp4"))
    for number in range(12):
        cv2.imwrite(str(street / f"frame_{number:05d}.jpg"), video.read()[1])
    write_checkpoint(folder / "model.safetensors")
    shutil.copy(folder / "model.safetensors", folder / "avenue.safetensors")
    labels = np.zeros(FRAMES, np.uint8)
    labels[FRAMES // 2 :] = 1
    np.savez(folder / "labels.npz", allow_pickle=False, **{"01": labels, "02": labels})
    (folder / "frames").mkdir()
    for number, image in enumerate(pictures(FRAMES)):
        cv2.imwrite(str(folder / "frames" / f"{number:05d}.png"), image)
    for clip in ("01", "02"):
        (folder / "masks" / clip).mkdir(parents=True)
        for number, label in enumerate(labels):
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            mask[: HEIGHT // 2, : WIDTH // 2] = 255 * label
            cv2.imwrite(str(folder / "masks" / clip / f"{number:05d}.png"), mask)
    ids = [f"{clip}_{number}" for clip in (1, 2) for number in range(FRAMES)]
    (folder / "row_ids.csv").write_text("\n".join(["Id", *ids]) + "\n")
    return folder


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture
def place(desk: Path, service: Served, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The desk as working directory; a key in the environment, which is not needed here."""
    monkeypatch.chdir(desk)
    monkeypatch.setenv("KEY", mint("docs", SCOPES, 0.0)[0])
    return desk


def run(command: str, address: str) -> None:
    """Carries out one command: `framewatch` in this process, others as they are."""
    command = command.replace(HERE, address)
    name, *rest = shlex.split(command)
    if name == "framewatch":
        code = app([*rest, *SETTINGS.get(rest[0], [])], prog_name="framewatch", standalone_mode=False)
        assert not code, command
    elif name == "make":
        subprocess.run([name, "--dry-run", *rest], cwd=ROOT, check=True, capture_output=True)
    else:
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
        # 28: the time of an endless answer is over, as the command itself wants
        assert done.returncode in ((0, 28) if "--max-time" in command else (0,)), f"{command}\n{done.stderr}"
        assert '"status":' not in done.stdout or '"detail":' not in done.stdout, f"{command}\n{done.stdout}"


def runs(command: str) -> bool:
    """Whether a command is carried out here. What the README has too, its own test does."""
    as_readme = " ".join(shlex.split(command))
    return program(command) not in NOT_RUN and command not in NOT_RUN_COMMANDS and as_readme not in README


def carry_out(block: Block, address: str) -> None:
    if block.language == "sh":
        for command in filter(runs, commands(block)):
            run(command, address)
    elif block.language == "python":
        exec(compile(block.text.replace(HERE, address), "docs", "exec"), {})  # noqa: S102 (the point of the test)
    elif block.language == "toml":
        Settings(**tomllib.loads(block.text))
    elif block.language == "yaml":
        assert yaml.safe_load(block.text)
    else:
        assert block.language in NOT_RUN_LANGUAGES, block.language


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_what_is_on_a_page_runs_in_order(page: Path, place: Path, service: Served) -> None:
    address = service.url.removeprefix("http://")
    if page.name != "websockets.md":  # which makes it itself
        with Client(service.url) as client:
            client.create_stream(id="gate", policy="every")
            with client.ingest("gate", header=True) as sender:
                for number, image in enumerate(pictures(FRAMES)):
                    sender.send(png(image), captured=number * INTERVAL)
                list(sender.finish())
    try:
        for block in blocks(page):
            carry_out(block, address)
    finally:
        for stream in list(service.monitor.roster):
            service.monitor.roster.remove(stream.record.id, purge=True)


def test_what_is_not_run_is_on_a_page() -> None:
    said = [
        command for page in PAGES for block in blocks(page) if block.language == "sh" for command in commands(block)
    ]
    assert [one for one in NOT_RUN if one not in {program(command) for command in said}] == []
    assert [one for one in NOT_RUN_COMMANDS if one not in said] == []


def test_addresses_of_sockets_exist(service: Served) -> None:
    shown = {
        path
        for page in PAGES
        for path in re.findall(r"wss?://[^/\s]+(/v1/[^\s?\"'`]+)", page.read_text(encoding="utf-8"))
        if "$" not in path
    }
    assert shown
    with Client(service.url) as client:
        client.create_stream(id="gate")
        for path in shown:
            with connect(service.ws + path) as socket:
                assert '"hello"' in str(socket.recv(timeout=10))
        client.delete_stream("gate", purge=True)


def test_the_proxy_s_example_is_the_file() -> None:
    shown = [block.text for page in PAGES for block in blocks(page) if block.language == "caddyfile"]
    assert len(shown) == 1
    assert shown[0] in (ROOT / "docker" / "Caddyfile").read_text(encoding="utf-8")


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page.name for page in sorted(DOCS.glob("*.md")) if page.name not in text] == []


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not here")
def test_javascript_can_be_read(tmp_path: Path) -> None:
    scripts = [block.text for page in PAGES for block in blocks(page) if block.language == "js"]
    assert scripts
    for number, script in enumerate(scripts):
        path = tmp_path / f"{number}.mjs"
        path.write_text(script, encoding="utf-8")
        subprocess.run(["node", "--check", path], check=True)
