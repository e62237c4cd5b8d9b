"""Settings come from flags, environment and file, in this order, and say what is wrong with them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from annotated_types import Ge, Gt, Le
from pydantic import SecretStr, ValidationError
from typer.testing import CliRunner

from service.configuration import describe, facts, load_settings
from service.flags import SettingsCommand, given
from service.settings import Settings, SettingsError, is_loopback


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("FRAMEWATCH_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "framewatch.toml"
    path.write_text('max_streams = 7\nmax_jobs = 7\nport = 7\n\n[sources]\ndoor = 0\nyard = "/srv/yard.mp4"\n')
    return path


def test_without_anything_given_there_are_defaults() -> None:
    assert load_settings() == Settings()
    assert (Settings().port, Settings().max_streams, Settings().scores_max_bytes) == (8000, 500, 5 * 10**9)


def test_a_flag_goes_before_a_variable_that_before_the_file(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setenv("FRAMEWATCH_MAX_STREAMS", "8")
    monkeypatch.setenv("FRAMEWATCH_MAX_JOBS", "8")
    settings = load_settings({"config": file, "max_jobs": "9", "host": None})
    assert (settings.max_jobs, settings.max_streams, settings.port, settings.host) == (9, 8, 7, "127.0.0.1")


def test_the_file_may_be_named_by_a_variable(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setenv("FRAMEWATCH_CONFIG", str(file))
    assert load_settings().sources == {"door": 0, "yard": Path("/srv/yard.mp4")}


def test_an_empty_variable_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWATCH_MODEL", "")
    assert load_settings().model is None


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("scores_max_bytes", "2GB", 2 * 10**9),
        ("max_frame_bytes", "2 MiB", 2 * 2**20),
        ("max_frame_bytes", "5000", 5000),
        ("allowed_origins", "https://a.example, http://b.example:8080", ("https://a.example", "http://b.example:8080")),
        ("camera_networks", "10.0.0.0/8,fd00::/8", ("10.0.0.0/8", "fd00::/8")),
        ("sources", "door=0, yard=/srv/a=b.mp4", {"door": 0, "yard": Path("/srv/a=b.mp4")}),
        ("root_path", "/cameras/", "/cameras"),
        ("root_path", "/", ""),
        ("data_dir", "~/data", Path.home() / "data"),
        ("ssl_keyfile_password", "hunter2", SecretStr("hunter2")),
    ],
)
def test_values_are_read_from_text(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object) -> None:
    monkeypatch.setenv("FRAMEWATCH_SSL_CERTFILE", "cert.pem")
    monkeypatch.setenv(f"FRAMEWATCH_{name.upper()}", text)
    assert getattr(load_settings(), name) == value


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"port": "70000"}, "--port 70000: should be less than or equal to 65535"),
        ({"port": "http"}, "--port http: should be a valid integer, unable to parse string as an integer"),
        ({"auth": "maybe"}, "--auth maybe: should be 'auto', 'on' or 'off'"),
        ({"host": ""}, "--host '': should have at least 1 character"),
        ({"max_streems": "3"}, "max_streems: unknown setting: did you mean max_streams?"),
        ({"xyz": "3"}, "xyz: unknown setting; `framewatch settings` lists them"),
        ({"sources": ["door"]}, "--source: 'door': expected NAME=WHERE, such as door=0 or yard=/srv/yard.mp4"),
        ({"sources": ["a="]}, "--source: source a: expected a webcam's number or a path"),
        ({"sources": ["a=1234"]}, "--source: source a: expected a webcam's number or a path"),
        ({"sources": {"a": -1}}, "--source: source a: expected a webcam's number or a path"),
        ({"sources": {"a": True}}, "--source: source a: expected a webcam's number or a path"),
        ({"sources": 3}, "--source 3: expected names with a webcam's number or a path each"),
        ({"sources": ["a b=0"]}, "--source: source name 'a b': expected letters, digits, '.', '_' and '-', at most 64"),
        (
            {"sources": ["a=rtsp://u:p@camera/"]},
            "--source: source a: expected a webcam's number or a path; a camera with a URL is added as a stream",
        ),
        (
            {"camera_networks": ["10.0.0.1/8"]},
            "--camera-network: 10.0.0.1/8 has host bits set; expected a network such as 192.168.0.0/16",
        ),
        (
            {"allowed_origins": ["https://a.example/page"]},
            "--allowed-origin: 'https://a.example/page': expected an origin such as https://monitor.example:8443, "
            "without a path",
        ),
        ({"scores_max_bytes": "5 GX"}, "--scores-max-bytes '5 GX': expected bytes, such as 5000000000, 5GB or 512MiB"),
        ({"root_path": "x"}, "--root-path x: expected a path such as /cameras"),
        ({"ssl_keyfile": "key.pem"}, "ssl_keyfile and ssl_keyfile_password need ssl_certfile"),
        (
            {"max_jobs": "0", "max_batch": "x"},
            "--max-batch x: should be a valid integer, unable to parse string as an integer; "
            "--max-jobs 0: should be greater than or equal to 1",
        ),
    ],
)
def test_a_wrong_flag_gets_one_clear_message(flags: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(flags)
    assert str(error.value) == said


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("FRAMEWATCH_PORT", "-1", "FRAMEWATCH_PORT -1: should be greater than or equal to 0"),
        (
            "FRAMEWATCH_MAX_STREEMS",
            "3",
            "unknown variable FRAMEWATCH_MAX_STREEMS: did you mean FRAMEWATCH_MAX_STREAMS?",
        ),
        ("framewatch_prt", "3", "unknown variable framewatch_prt: did you mean FRAMEWATCH_PORT?"),
        (
            "FRAMEWATCH_PORT",
            "tcp://10.0.0.7:8000",
            "FRAMEWATCH_PORT tcp://10.0.0.7:8000: Kubernetes sets this for a service named framewatch: "
            "set enableServiceLinks: false, or give --port",
        ),
    ],
)
def test_a_wrong_variable_gets_one_clear_message(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert str(error.value) == said


@pytest.mark.parametrize("variable", ["FRAMEWATCH_DEBUG", "FRAMEWATCH_SERVICE_HOST", "FRAMEWATCH_PORT_8000_TCP_ADDR"])
def test_variables_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"max_streems = 3", "{file}: max_streems: unknown setting: did you mean max_streams?"),
        (b"max_streams = 0", "{file}: max_streams 0: should be greater than or equal to 1"),
        (b"max_streams = ", "{file} is no TOML file: Invalid value (at end of document)"),
        (b"\xff", "{file} is no TOML file: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b"config = 'x'", "{file}: config: a settings file cannot name another one"),
        (b"[tls]\nport = 1", "{file}: tls: unknown setting; `framewatch settings` lists them"),
    ],
)
def test_a_wrong_file_gets_one_clear_message(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as error:
        load_settings({"config": str(path)})
    assert str(error.value) == said.format(file=path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=re.escape(f"{tmp_path / 'x.toml'}: No such file or directory")):
        load_settings({"config": tmp_path / "x.toml"})


def test_a_secret_is_not_in_messages_texts_or_dumps(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("ssl_certfile = 'c'\nssl_keyfile_password = 123456789")
    with pytest.raises(SettingsError) as error:
        load_settings({"config": path})
    assert "ssl_keyfile_password" in str(error.value) and "123456789" not in str(error.value)
    path.write_text("ssl_certfile = 'c'\nssl_keyfile_password = 'hunter2'")
    settings = load_settings({"config": path})
    assert "hunter2" not in describe(settings) + repr(settings) + settings.model_dump_json()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_described_and_every_number_has_bounds(name: str) -> None:
    field = Settings.model_fields[name]
    assert field.title and field.description and field.description.endswith(".")
    (fact,) = [fact for fact in facts() if fact.name == name]
    assert fact.unit and fact.group
    if field.annotation in (int, float, int | None, float | None):
        assert any(isinstance(bound, Ge | Gt) for bound in field.metadata)
        assert any(isinstance(bound, Le) for bound in field.metadata)
        assert fact.bounds


def test_defaults_are_within_their_bounds() -> None:
    given = {name: field.default for name, field in Settings.model_fields.items() if field.default is not None}
    assert Settings(**given) == Settings()


def test_the_text_of_all_settings_is_a_settings_file(tmp_path: Path, file: Path) -> None:
    settings = load_settings({"config": file, "scores_max_age_days": "2.5", "camera_networks": ["10.0.0.0/8"]})
    copy = tmp_path / "copy.toml"
    copy.write_text(describe(settings))
    assert load_settings({"config": copy}).model_dump(exclude={"config"}) == settings.model_dump(exclude={"config"})


def test_the_text_of_all_settings_has_every_default_commented_out() -> None:
    text = describe(load_settings())
    assert tomllib.loads(text) == {}
    uncommented = re.sub(r"(?m)^# (\w+ = .+)$", r"\1", text)
    assert Settings.model_validate(tomllib.loads(uncommented)) == Settings()
    for fact in facts():
        assert re.search(rf"(?m)^# {fact.name} =", text)
        assert fact.variable in text and fact.flag in text


@pytest.mark.parametrize(
    ("auth", "host", "on"),
    [
        ("auto", "127.0.0.1", False),
        ("auto", "localhost", False),
        ("auto", "::1", False),
        ("auto", "[::1]", False),
        ("auto", "0.0.0.0", True),  # noqa: S104
        ("auto", "::", True),
        ("auto", "192.168.1.5", True),
        ("auto", "monitor.example", True),
        ("on", "127.0.0.1", True),
        ("off", "0.0.0.0", False),  # noqa: S104
    ],
)
def test_keys_are_needed_beyond_loopback(auth: str, host: str, on: bool) -> None:
    assert load_settings({"auth": auth, "host": host}).auth_on is on


def test_an_address_that_only_looks_like_loopback_is_none() -> None:
    assert not is_loopback("127.0.0.1.example")


def test_the_model_folder_is_in_the_data_folder_unless_given() -> None:
    assert load_settings({"data_dir": "/d"}).models_folder == Path("/d/models")
    assert load_settings({"data_dir": "/d", "models_dir": "/m"}).models_folder == Path("/m")


app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(cls=SettingsCommand)
def serve(ctx: typer.Context, dry: bool = False) -> None:
    settings = load_settings(given(ctx))
    typer.echo(f"{settings.port} {settings.sources} {settings.max_frame_bytes} {dry}")


def test_a_command_takes_every_setting_as_a_flag() -> None:
    result = CliRunner().invoke(
        app, ["--port", "80", "--dry", "--source", "a=0", "--source", "b=1", "--max-frame-bytes", "5MB"]
    )
    assert result.output == "80 {'a': 0, 'b': 1} 5000000 True\n"


def test_help_lists_every_flag_with_its_bounds_and_default() -> None:
    text = CliRunner().invoke(app, ["--help"], terminal_width=200).output
    assert [fact.flag for fact in facts() if fact.flag and fact.flag not in text] == []
    assert "Port to listen on; 0 takes a free one. [0 to 65535; default 8000]" in text
    assert "password" not in text


def test_an_unknown_flag_is_refused_with_the_nearest_known_one() -> None:
    result = CliRunner().invoke(app, ["--max-streems", "3"])
    assert result.exit_code == 2
    assert "--max-streams" in result.output


def test_commands_that_take_no_settings_do_not_import_them() -> None:
    program = "import service.flags, sys; print('pydantic_settings' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
