"""`framewatch key`: the keys of a data folder, whether or not a service runs on it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from service.auth import ADMIN_KEY, mint
from service.faults import InputError
from service.records import Scope
from service.store import KeyFile


def create(folder: Path, name: str, scopes: Sequence[Scope]) -> None:
    """Makes a key and prints it, the only time that it can be seen.

    Raises:
        StoreError: it cannot be stored.
    """
    key, record = mint(name, scopes, time.time())
    with KeyFile(folder) as keys:
        keys.put(record)
    print(key)
    print(f"key {record.id} ({name}) may {', '.join(scopes)}; it is not shown again", file=sys.stderr)


def show_all(folder: Path) -> None:
    """Prints what is known of all keys.

    Raises:
        StoreError: the folder cannot be read.
    """
    with KeyFile(folder) as keys:
        found = keys.all()
    for key in found:
        made = datetime.fromtimestamp(key.created, UTC).strftime("%Y-%m-%d")
        state = "revoked" if key.revoked is not None else "valid"
        print(f"{key.id}  {made}  {state:7}  {','.join(key.scopes):17}  {key.name}")
    if not found:
        print(f"{folder} has no keys", file=sys.stderr)


def revoke(folder: Path, id: str) -> None:
    """Ends a key for good.

    Raises:
        InputError: there is no valid key of that id.
        StoreError: it cannot be stored.
    """
    with KeyFile(folder) as keys:
        if not keys.revoke(id, time.time()):
            raise InputError(f"there is no valid key {id!r} in {folder}; `framewatch key list` shows them")
    print(f"key {id} is revoked", file=sys.stderr)


def show_first(folder: Path) -> None:
    """Prints the key that the first start made.

    Raises:
        InputError: its file is not there or cannot be read.
    """
    path = folder / ADMIN_KEY
    try:
        print(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        raise InputError(
            f"there is no {path}: the first start with keys makes it; or use `framewatch key create`"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
