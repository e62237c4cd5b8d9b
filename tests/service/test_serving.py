"""The verbs around the service: keys, settings, and what `serve` refuses."""

from __future__ import annotations

import logging
import os
import resource
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.auth import fingerprint, write_admin_key
from service.commands.serve import allow_descriptors
from service.store import KeyFile
from tests.service.command_line import framewatch, misused, refused


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """`serve` takes the whole process's logging over; here it is given back."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = False


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("FRAMEWATCH_"):
            monkeypatch.delenv(name)


def test_a_key_is_made_listed_and_revoked(tmp_path: Path) -> None:
    made = framewatch("key", "create", "gate", "--scope", "ingest", "--scope", "read", "--data-dir", tmp_path)
    key = made.out.strip()
    with KeyFile(tmp_path) as keys:
        (record,) = keys.all()
    assert (record.hash, record.scopes) == (fingerprint(key), ("read", "ingest"))
    assert "read,ingest" in framewatch("key", "list", "--data-dir", tmp_path).out
    assert framewatch("key", "revoke", record.id, "--data-dir", tmp_path).code == 0
    assert "revoked" in framewatch("key", "list", "--data-dir", tmp_path).out


def test_a_key_that_is_not_there_cannot_be_revoked(tmp_path: Path) -> None:
    assert "no valid key 'x'" in refused("key", "revoke", "x", "--data-dir", tmp_path)


def test_an_unknown_scope_is_refused(tmp_path: Path) -> None:
    assert "read, ingest, admin" in misused("key", "create", "gate", "--scope", "all", "--data-dir", tmp_path)


def test_the_first_key_can_be_shown(tmp_path: Path) -> None:
    assert "admin.key" in refused("key", "show", "--data-dir", tmp_path)
    write_admin_key(tmp_path, "fw_1")
    assert framewatch("key", "show", "--data-dir", tmp_path).out == "fw_1\n"


def test_the_settings_that_are_shown_are_a_settings_file() -> None:
    assert tomllib.loads(framewatch("settings", "--max-streams", "7").out) == {"max_streams": 7}


def test_more_than_one_worker_is_refused_with_the_reason() -> None:
    assert "one process owns the device" in misused("serve", "--workers", "2")


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"cannot listen on 127.0.0.1 port {port}" in refused("serve", "--port", port, "--data-dir", tmp_path)


def test_a_certificate_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    said = refused("serve", "--port", "0", "--ssl-certfile", tmp_path / "none.pem", "--data-dir", tmp_path)
    assert "TLS certificate" in said


def test_as_many_descriptors_are_allowed_as_the_system_lets_it() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        allow_descriptors(300)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, hard)
        allow_descriptors(200)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
