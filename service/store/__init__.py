"""The SQLite store of the service."""

from service.store.cursors import CursorError
from service.store.files import StoreError
from service.store.keys import KeyFile
from service.store.store import Store
from service.store.writer import StoreUnavailable

__all__ = ["CursorError", "KeyFile", "Store", "StoreError", "StoreUnavailable"]
