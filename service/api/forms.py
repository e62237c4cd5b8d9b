"""Forms with files, written straight to where they are needed: the framework's parser, without its temporary copies."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from service.api.sinks import Sink

FIELD = "file"
"""Name of the form's field that holds the files."""

_MOST_FILES = 1000
_MOST_FIELDS = 20


@dataclass(frozen=True, slots=True)
class Form:
    """What a form has told.

    Attributes:
        files: their names, in order; they lie in the folder as 0, 1, 2 and so on.
        hashes: SHA-256 of each; "": not wanted.
        fields: the others, as text; of those that are given twice the last.
    """

    files: tuple[str, ...]
    hashes: tuple[str, ...]
    fields: dict[str, str]


class FormToFolder(MultiPartParser):
    """Reads one form."""

    def __init__(
        self, headers: Headers, stream: AsyncGenerator[bytes, None], folder: Path | None, *, hashed: bool
    ) -> None:
        """Makes it.

        Args:
            headers: of the request.
            stream: its body.
            folder: where the files go; None: they are not kept.
            hashed: whether their hashes are wanted.
        """
        super().__init__(headers, stream, max_files=_MOST_FILES, max_fields=_MOST_FIELDS)
        self._folder = folder
        self._hashed = hashed
        self._sinks: list[Sink] = []

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        part = self._current_part
        if part.file is None:
            return
        if part.field_name != FIELD:
            raise MultiPartException(f"files belong into the field `{FIELD}`")
        path = None if self._folder is None else self._folder / str(len(self._sinks))
        sink = Sink(path, hashed=self._hashed)
        self._sinks.append(sink)
        part.file.file.close()
        part.file.file = sink  # type: ignore[assignment]  # of which only `write`, `seek` and `close` are used
        self._files_to_close_on_error.append(sink)  # type: ignore[arg-type]

    async def form(self) -> Form:
        """The whole form; its files are on disk, and closed.

        Raises:
            MultiPartException: it is none, or has too many parts; what was written of it is still there.
        """
        if not self.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            raise MultiPartException("expected multipart/form-data")
        try:
            items = (await self.parse()).multi_items()
        except BaseException:
            for open_file in self._files_to_close_on_error:
                with suppress(OSError):  # what is still buffered may not find room on the disk
                    open_file.close()
            raise
        files = [item for _, item in items if isinstance(item, UploadFile)]
        for file in files:
            await file.close()
        names, hashes = tuple(file.filename or "" for file in files), tuple(sink.sha256 for sink in self._sinks)
        return Form(names, hashes, {name: item for name, item in items if isinstance(item, str)})
