"""The command itself: its help, its version, its exit codes, and how it ends when nobody reads on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.main import get_command

import model
import service.commands.info
from service import faults
from service.cli import app
from service.verbs import COMMAND
from tests.conftest import ROOT
from tests.service.command_line import framewatch, misused, refused, write_checkpoint
from tests.training.drawn import write_clips

VERBS = ("train", "learn", "score", "evaluate", "info", "demo")

LIGHT = """
import sys
from typer.testing import CliRunner
from service.cli import app
for words in {words}:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, (words, result.output)
    assert result.output.strip()
heavy = sorted({{"torch", "cv2", "av", "numpy", "matplotlib", "scipy", "sklearn"}} & set(sys.modules))
assert not heavy, heavy
"""


def started(*words: object) -> subprocess.Popen[str]:
    """The command in a process of its own, which ends at Ctrl-C even where the tests run in the background."""
    python = [sys.executable, "-m", "service.cli"]
    command = ["env", "--default-signal=INT", *python, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def test_help_and_version_load_nothing_heavy() -> None:
    words = [["--version"], ["--help"], *([verb, "--help"] for verb in (*VERBS, "serve", "settings", "key"))]
    result = subprocess.run([sys.executable, "-c", LIGHT.format(words=words)], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_version_is_the_packages() -> None:
    ended = framewatch("--version")
    assert (ended.code, ended.out) == (0, f"framewatch {model.__version__}\n")


def test_the_command_alone_shows_its_help() -> None:
    ended = framewatch()
    assert "Commands:" in ended.out + ended.err
    for verb in VERBS:
        assert re.search(rf"^  {verb}  ", ended.out + ended.err, re.MULTILINE)


def test_the_list_of_verbs_says_all_in_one_line_each() -> None:
    listed = framewatch("--help").out.partition("Commands:\n")[2].partition("\n\n")[0]
    assert all(line.endswith(".") and not line.endswith("...") for line in listed.splitlines())


@pytest.mark.parametrize("verb", VERBS)
def test_a_verbs_help_explains_every_option(verb: str) -> None:
    ended = framewatch(verb, "--help")
    assert ended.code == 0
    options = re.findall(r"^  (?:-\w, )?(--[\w-]+)(.*)$((?:\n {20,}.*)*)", ended.out, re.MULTILINE)
    assert options
    for name, line, more in options:
        assert len((line + more).split()) >= 4, name


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_no_python_types(verb: str) -> None:
    text = framewatch(verb, "--help").out
    assert not re.search(r"list\[|Path\]|<path>|<text>|\{FOOTAGE\}", text)
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("verb", ["train", "score", "evaluate"])
def test_help_ends_with_examples_whose_options_exist(verb: str) -> None:
    text = framewatch(verb, "--help").out
    options, _, examples = text.partition("Examples:")
    used = set(re.findall(r"(?<!\S)--[\w-]+", examples))
    assert examples.count("framewatch ") >= 2
    assert used
    assert all(name in options for name in used)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["fly"], "No such command 'fly'"),
        (["score", "--fly", "x"], "No such option: --fly"),
        (["train", "--out", "m.safetensors"], "Missing argument 'FOOTAGE'"),
        (["train", "normal"], "Missing option '--out'"),
        (["score", "clips"], "Missing option '--model'"),
        (["evaluate", "clips", "--model", "m"], "Missing option '--labels'"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(words: list[str], part: str) -> None:
    said = misused(*words)
    assert part in said
    assert "Usage: framewatch" in said
    assert "{" not in said


def test_a_bug_is_called_one_and_hides_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> dict[str, object]:
        raise ZeroDivisionError("a made-up fault")

    monkeypatch.delenv("FRAMEWATCH_DEBUG", raising=False)
    monkeypatch.setattr(service.commands.info, "installation", broken)
    ended = framewatch("info")
    assert ended.code == faults.BUG
    assert ended.said.startswith("framewatch: ZeroDivisionError: a made-up fault (this is a bug, please report it")
    assert "Traceback" not in ended.err
    monkeypatch.setenv("FRAMEWATCH_DEBUG", "1")
    assert "Traceback" in framewatch("info").err


def test_input_errors_show_their_traceback_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMEWATCH_DEBUG", "1")
    ended = framewatch("info", tmp_path / "nothing.safetensors")
    assert ended.code == faults.INPUT
    assert "Traceback" in ended.err


def test_the_command_line_is_recorded_as_it_was_typed() -> None:
    command = get_command(app)
    context = typer.Context(command)
    command.parse_args(context, ["train", "my clips", "--out", "m.safetensors"])
    assert context.meta[COMMAND] == "framewatch train 'my clips' --out m.safetensors"


def test_the_login_of_a_camera_is_not_recorded() -> None:
    """A checkpoint holds the command that made it, and is passed on."""
    command = get_command(app)
    context = typer.Context(command)
    command.parse_args(context, ["learn", "rtsp://viewer:s3cret@192.0.2.7/live?pwd=s3cret&channel=1", "--for", "9m"])
    assert context.meta[COMMAND] == "framewatch learn 'rtsp://***@192.0.2.7/live?pwd=***&channel=1' --for 9m"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("utf-8", b"caf\xe9 \xc3\xa9 \xe6\x97\xa5"), ("latin-1", rb"caf\udce9 " + b"\xe9 " + rb"\u65e5")],
)
def test_names_that_the_terminal_cannot_show_are_printed_all_the_same(encoding: str, expected: bytes) -> None:
    """Names of files are bytes; those that are no UTF-8 keep them, also in a table on standard output."""
    code = r"import service.cli as c; c.app = lambda prog_name: print('caf\udce9 \xe9 \u65e5'); c.main()"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, env=os.environ | {"PYTHONIOENCODING": encoding}
    )
    assert (result.returncode, result.stdout.strip()) == (0, expected), result.stderr


def test_closed_outputs_are_no_bug(tmp_path: Path) -> None:
    """As a daemon has them."""
    clips = write_clips(tmp_path / "clips", 1, 12)
    checkpoint = write_checkpoint(tmp_path / "m.safetensors")

    def run(closed: str, out: str) -> subprocess.CompletedProcess[str]:
        words = ["-m", "service.cli", "score", str(clips), "--model", str(checkpoint), "--out", out, "--fps", "10"]
        shell = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, *words]
        return subprocess.run(shell, cwd=ROOT, capture_output=True, text=True)

    for closed in (">&-", "2>&-", "<&- >&- 2>&-"):
        table = tmp_path / f"{len(closed)}.csv"
        ended = run(closed, str(table))
        assert ended.returncode == 0, (closed, ended)
        assert len(table.read_text().splitlines()) == 13
    ended = run(">&-", "-")
    assert ended.returncode == faults.INPUT
    assert ended.stderr == "framewatch: --out -: standard output is closed; open it, or give a file\n"


def test_ctrl_c_while_it_starts_is_quiet() -> None:
    """One of the imports sends the signal, so that it surely comes amid them."""
    code = (
        "import os, signal, sys\n"
        "class Interrupts:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'typer': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupts())\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from service.entry import main\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (faults.INTERRUPTED, "", "")


def test_whoever_stops_reading_ends_the_command_quietly(tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips", 2, 400)
    checkpoint = write_checkpoint(tmp_path / "m.safetensors")
    with started("score", clips, "--model", checkpoint, "--out", "-", "--fps", 10) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("clip,frame,time")
        process.stdout.close()
        said = process.stderr.read()
        code = process.wait(timeout=120)
    assert code == faults.PIPE
    assert "Traceback" not in said
    assert "Broken pipe" not in said


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, faults.INTERRUPTED), (signal.SIGTERM, faults.TERMINATED)])
def test_a_signal_leaves_no_half_written_table(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    clips = write_clips(tmp_path / "clips", 1, 20)
    for number in range(20, 4000):  # long enough to be interrupted
        (clips / "01" / f"frame_{number:05d}.jpg").hardlink_to(clips / "01" / f"frame_{number % 20:05d}.jpg")
    table, heat = tmp_path / "out" / "scores.csv", tmp_path / "heat"
    table.parent.mkdir()
    checkpoint = write_checkpoint(tmp_path / "m.safetensors")
    words = ["score", clips, "--model", checkpoint, "--out", table, "--heatmaps", heat, "--fps", 10]
    with started(*words) as process:
        deadline = time.monotonic() + 120
        while not list(heat.rglob("*.png")):  # it is scoring
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(sent)
        out, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert out == ""
    assert "Traceback" not in said
    assert list(table.parent.iterdir()) == []
    if sent == signal.SIGINT:
        assert f"framewatch: interrupted; {table} was not written" in said


def test_a_full_disk_is_said_in_one_line(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    clips = write_clips(tmp_path / "clips", 1, 12)
    checkpoint = write_checkpoint(tmp_path / "m.safetensors")
    message = refused("score", clips, "--model", checkpoint, "--out", "/dev/full", "--fps", "10")
    assert message.endswith("No space left on device")
