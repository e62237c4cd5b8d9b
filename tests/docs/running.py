"""How the blocks of a page are carried out."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from service.cli import app
from service.settings import Settings
from tests.conftest import ROOT
from tests.docs.pages import README, blocks, commands, program
from tests.service.alerts.receiver import Receiver
from tests.service.readers.servers import FakeCamera

SETTINGS = {"train": ["--size", "64", "--steps", "20", "--no-self-test"]}
"""Added to a verb's options: the defaults would learn for minutes."""

NOT_RUN = {
    "docker": "needs an image engine; docker/smoke.sh is what is run of it",
    "docker/smoke.sh": "needs an image engine",
    "pip": "needs a network; CI installs the package before the tests",
    "python3": "an environment is made before the tests",
    ".venv/bin/pip": "needs a network",
    "/opt/framewatch/bin/pip": "needs a network",
    "useradd": "a user of the system",
    "runuser": "a user of the system",
    "systemctl": "a unit of systemd",
    "rsync": "tests/e2e/test_restored.py copies a data folder and puts it back",
    "websocat": "it listens until it is stopped: test_websocat_prints_what_is_said runs it",
}
"""Programs that are not run, and why."""

NOT_RUN_COMMANDS = {
    "framewatch demo": "it takes two minutes; tests/training runs it with a small plan",
    "framewatch key show": "there is no first key where no key is needed",
}
NOT_RUN_LANGUAGES = {
    "ini": "a unit of systemd",
    "nginx": "a part of the settings of a proxy",
    "caddyfile": "test_the_proxy_s_example_is_the_file compares it",
    "js": "a browser's: test_browser.py runs it in one",
    "json": "a message: test_alerts_arrive_as_the_page_shows_them compares it with one that arrived",
}
ENOUGH = 20
"""Lines that an endless block may print."""


@dataclass(frozen=True)
class Surroundings:
    """What stands in for what the pages name.

    Attributes:
        address: of the service.
        receiver: of alerts.
        camera: speaks RTSP.
    """

    address: str
    receiver: Receiver
    camera: FakeCamera

    def here(self, text: str) -> str:
        """A block with what there is here; half an hour of recording is seven seconds."""
        for shown, meant in {
            "127.0.0.1:8000": self.address,
            "wss://cameras.example/": f"ws://{self.address}/",
            "https://chat.example/hooks/abc": self.receiver.url,
            "192.0.2.7/live": f"127.0.0.1:{self.camera.port}/live",
            "minutes=30": "minutes=0.12",
            '"minutes": 30': '"minutes": 0.12',
        }.items():
            text = text.replace(shown, meant)
        return text


class Enough(Exception):
    """An endless block has printed enough."""


@dataclass
class Told:
    """What the blocks of a page came to.

    Attributes:
        out: what each command of a shell block printed; "" of a `framewatch`.
        printed: the lines of Python blocks.
        spaces: names of Python blocks.
    """

    out: list[str]
    printed: list[str]
    spaces: list[dict[str, Any]]


def carry_out(page: Path, around: Surroundings) -> Told:
    """Carries out the blocks of a page in their order."""
    told = Told([], [], [])
    for block in blocks(page):
        if block.language == "sh":
            told.out += [run(around.here(command)) for command in commands(block) if runs(page, command)]
        elif block.language == "crontab":
            told.out += [run(around.here(line.split(maxsplit=5)[5])) for line in block.text.splitlines()]
        elif block.language == "python":
            told.spaces.append(execute(around.here(block.text), told.printed))
        elif block.language == "toml":
            Settings(**tomllib.loads(block.text))
        elif block.language == "yaml":
            assert yaml.safe_load(block.text)
        else:
            assert block.language in NOT_RUN_LANGUAGES, block.language
    return told


def runs(page: Path, command: str) -> bool:
    """Whether a command is carried out. What the README has too is not run again for another page."""
    again = page != README and command.startswith("framewatch") and command in _README
    return program(command) not in NOT_RUN and command not in NOT_RUN_COMMANDS and not again


_README = frozenset(command for block in blocks(README, "sh") for command in commands(block))


def run(command: str) -> str:
    """Carries out one command; gives what it printed, if it is not one of `framewatch`."""
    name = program(command)
    rest = shlex.split(command.partition(name)[2])
    if name == "framewatch":
        if rest[0] == "serve":  # it serves until it is stopped, and the tests' own service stands for it
            rest[0] = "settings"  # which takes and checks the same
        code = app([*rest, *SETTINGS.get(rest[0], [])], prog_name="framewatch", standalone_mode=False)
        assert not code, command
    elif name == "make":
        subprocess.run([name, "--dry-run", *rest], cwd=ROOT, check=True, capture_output=True)
    else:
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
        # 28: the time of an endless answer is over, as the command itself wants
        assert done.returncode in ((0, 28) if "--max-time" in command else (0,)), f"{command}\n{done.stderr}"
        assert '"status":' not in done.stdout or '"detail":' not in done.stdout, f"{command}\n{done.stdout}"
        return done.stdout
    return ""


def execute(code: str, printed: list[str]) -> dict[str, Any]:
    """Runs Python; what it prints is kept, and an endless loop is left when it has printed enough."""
    begun = len(printed)
    endless = re.search(r"client\.follow\(", code) is not None

    def keep(*words: object) -> None:
        printed.append(" ".join(map(str, words)))
        if endless and len(printed) - begun >= ENOUGH:
            raise Enough

    space: dict[str, Any] = {"print": keep}
    with suppress(Enough):
        exec(compile(code, "page", "exec"), space)  # noqa: S102 (the point of the tests)
    return space
