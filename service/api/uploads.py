"""What an upload asks for: its files, received as they come, and how they are to be scored."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException

from model.offline import Align
from model.smoothing import Normalization
from service.api.forms import FIELD, FormToFolder
from service.api.sinks import Sink
from service.problems import Problem
from service.repeats import digest
from service.videos.containers import SNIFFED, ContainerError, sniff
from service.videos.job_run import JobOptions

_CHUNK = 1 << 20
_NAME = re.compile(r"[^\x00-\x1f\x7f/\\]{1,200}")


class Fields(BaseModel):
    """How a job is scored, as text from a form or a query."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    smooth: str | None = None
    normalize: Normalization = "none"
    align: Align = "last"
    repair: str = "noise"
    fps: float | None = None
    model: str | None = None
    skip_bad: bool = False

    def options(self) -> JobOptions:
        try:
            return JobOptions(**self.model_dump())
        except ValueError as error:
            raise Problem(422, str(error)) from None


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that has been received.

    Attributes:
        names: of its files, as the client calls them; they lie in its folder as 0, 1, 2 and so on.
        options: how they are to be scored.
        hashes: SHA-256 of each file; "": not wanted.
    """

    names: tuple[str, ...]
    options: JobOptions
    hashes: tuple[str, ...]

    def content(self) -> str:
        """What it asks for (`service.repeats.digest`), however it was sent: a form has new boundaries each time."""
        return digest([self.names, self.hashes, asdict(self.options)])


async def receive_file(
    body: AsyncGenerator[bytes, None], name: str, options: JobOptions, folder: Path | None, *, hashed: bool
) -> Upload:
    """Receives a body that is one file.

    Args:
        body: as it comes.
        name: of the file.
        options: how it is to be scored.
        folder: where it goes; None: nothing is kept.
        hashed: whether its content has to be known again.

    Raises:
        Problem: 415.
    """
    with closing(Sink(None if folder is None else folder / "0", hashed=hashed)) as sink:
        pending = bytearray()
        checked = False
        async for chunk in body:
            pending += chunk
            if not checked and len(pending) >= SNIFFED:
                _check(bytes(pending[:SNIFFED]), name)
                checked = True
            if len(pending) >= _CHUNK:
                await asyncio.to_thread(sink.write, pending)
                pending = bytearray()
        if not checked:
            _check(bytes(pending[:SNIFFED]), name)
        await asyncio.to_thread(sink.write, pending)
        return Upload((name,), options, (sink.sha256,))


async def receive_form(
    headers: Headers, body: AsyncGenerator[bytes, None], folder: Path | None, *, hashed: bool
) -> Upload:
    """Receives a form with files.

    Args:
        headers: of the request.
        body, folder, hashed: see `receive_file`.

    Raises:
        Problem: 415, or 422.
    """
    try:
        form = await FormToFolder(headers, body, folder, hashed=hashed).form()
    except MultiPartException as error:
        raise Problem(422, f"the form cannot be read: {error.message}") from None
    names = tuple(named(file) for file in form.files)
    if not names:
        raise Problem(422, f"expected one or more files in the form's field `{FIELD}`")
    if folder is not None:
        await asyncio.to_thread(_check_files, folder, names)
    return Upload(names, _options(form.fields), form.hashes)


def named(name: str) -> str:
    """A client's name of a file. It names clips; nothing on disk has it.

    Raises:
        Problem: 422.
    """
    name = name.replace("\\", "/").rpartition("/")[2]
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise Problem(422, "expected a file name of 1 to 200 characters")
    return name


def _check_files(folder: Path, names: tuple[str, ...]) -> None:
    for number, name in enumerate(names):
        with (folder / str(number)).open("rb") as file:
            _check(file.read(SNIFFED), name)


def _check(head: bytes, name: str) -> None:
    try:
        sniff(head)
    except ContainerError as error:
        raise Problem(415, f"{name}: {error}") from None


def _options(given: dict[str, str]) -> JobOptions:
    try:
        return Fields(**{name: value or None for name, value in given.items()}).options()  # type: ignore[arg-type]
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise Problem(422, "; ".join(faults)) from None
