"""Keys come back as they were, also those of the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from service.records import KeyRecord
from service.store import KeyFile, Store
from tests.service.stored import T0

KEY = KeyRecord("k1", "laptop", "ab" * 32, ("read", "ingest"), T0)


def test_a_key_comes_back_as_it_was(store: Store) -> None:
    store.keys.put(KEY)
    assert store.keys.all() == [KEY]


def test_the_command_line_changes_keys_beside_a_running_service(store: Store, tmp_path: Path) -> None:
    with KeyFile(tmp_path) as keys:
        keys.put(KEY)
        assert store.keys.all() == keys.all() == [KEY]
        assert (keys.revoke("k1", T0 + 1), keys.revoke("k1", T0 + 2)) == (True, False)
    assert store.keys.all() == [replace(KEY, revoked=T0 + 1)]


def test_keys_can_be_made_before_the_first_start(tmp_path: Path) -> None:
    with KeyFile(tmp_path / "new") as keys:
        keys.put(KEY)
    with Store.open(tmp_path / "new") as store:
        assert (store.keys.all(), store.epoch) == ([KEY], 1)
