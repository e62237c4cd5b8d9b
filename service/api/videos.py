"""Videos to be scored: uploads become jobs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse

from model.offline import Align
from model.smoothing import Normalization
from service.api.deps import INGEST, RequestName, Running, place_of, problems
from service.api.forms import FIELD, Form, FormToFolder
from service.api.job_views import JobScores, JobView, job_view, row_view
from service.monitor import Monitor
from service.problems import Problem
from service.records import Job
from service.videos.containers import SNIFFED, ContainerError, sniff
from service.videos.job_run import JobOptions

WAIT = 60.0
"""Seconds that `wait` waits at most."""

_MOST_WAITED_ROWS = 20_000
_CHUNK = 1 << 20
_LOOK = 16 << 20  # bytes of an upload between two looks at what is free on the disk
_NAME = re.compile(r"[^\x00-\x1f\x7f/\\]{1,200}")
_RESULTS = problems(404, 408, 409, 413, 415, 429, 507)


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


def make_router(max_upload_bytes: int) -> APIRouter:
    """The routes, with the limit of the settings."""
    router = APIRouter(prefix="/v1/videos", tags=["videos"])

    @router.post(
        "",
        operation_id="post_videos",
        status_code=202,
        dependencies=[INGEST],
        responses=_RESULTS,
        max_body_size=max_upload_bytes,
        openapi_extra=_FORM,
    )
    async def post(
        request: Request,
        running: Running,
        wait: Annotated[bool, Query(description="Answer with the scores if they are there in a minute.")] = False,
        name: RequestName = None,
    ) -> JobView:
        """Videos, or zips of videos or of folders of frames, as a form; scored as one job."""
        place = place_of(request, "videos", name)
        async with running.repeats.claim(place, "", exists=running.jobs.has) as claim:
            if claim.made is not None:
                return await _again(request, running, claim.made, wait)
            id, folder = await asyncio.to_thread(running.jobs.admit, _length(request))
            try:
                form = await _receive_form(request, running, folder)
                names = tuple(_named(file.filename or "") for file in form.files)
                await asyncio.to_thread(_check_files, folder, names)
                options = _options(form.fields)
                await asyncio.to_thread(claim.remember, id)
                return await _submit(request, running, id, names, options, wait)
            except BaseException:
                running.jobs.discard(folder)
                raise

    @router.put(
        "/{name}",
        operation_id="put_video",
        status_code=202,
        dependencies=[INGEST],
        responses=_RESULTS,
        max_body_size=max_upload_bytes,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
    async def put(
        name: str,
        request: Request,
        running: Running,
        fields: Annotated[_Query, Query()],
        request_name: RequestName = None,
    ) -> JobView:
        """One video or zip as the body itself: the quickest way."""
        options = Fields(**fields.model_dump(exclude={"wait", "ticket"})).options()
        file = _named(name)
        place = place_of(request, "videos", request_name)
        async with running.repeats.claim(place, "", exists=running.jobs.has) as claim:
            if claim.made is not None:
                return await _again(request, running, claim.made, fields.wait)
            id, folder = await asyncio.to_thread(running.jobs.admit, _length(request))
            try:
                await _receive(_body(request, running), folder / "0", file)
                await asyncio.to_thread(claim.remember, id)
                return await _submit(request, running, id, (file,), options, fields.wait)
            except BaseException:
                running.jobs.discard(folder)
                raise

    return router


class _Query(Fields):
    wait: bool = False
    ticket: str | None = None


async def _body(request: Request, running: Monitor) -> AsyncGenerator[bytes, None]:
    """The body of an upload as it comes. Several at once, or one of unknown length, must not fill the disk."""
    room = _LOOK
    async for chunk in request.stream():
        room -= len(chunk)
        if room < 0:
            await asyncio.to_thread(running.jobs.check_space)
            room = _LOOK
        yield chunk


async def _receive(body: AsyncGenerator[bytes, None], path: Path, name: str) -> None:
    """Writes a body to disk as it comes."""
    with path.open("xb") as file:
        head = b""
        pending = bytearray()
        checked = False
        async for chunk in body:
            pending += chunk
            if not checked and len(pending) >= SNIFFED:
                _check(bytes(pending[:SNIFFED]), name)
                checked = True
            if len(pending) >= _CHUNK:
                await asyncio.to_thread(file.write, pending)
                pending = bytearray()
        if not checked:
            head = bytes(pending[:SNIFFED])
            _check(head, name)
        await asyncio.to_thread(file.write, pending)


async def _receive_form(request: Request, running: Monitor, folder: Path) -> Form:
    """Writes the files of a form to disk as they come, and gives the rest of it."""
    try:
        return await FormToFolder(request.headers, _body(request, running), folder).form()
    except MultiPartException as error:
        raise Problem(422, f"the form cannot be read: {error.message}") from None


def _check_files(folder: Path, names: tuple[str, ...]) -> None:
    if not names:
        raise Problem(422, f"expected one or more files in the form's field `{FIELD}`")
    for number, name in enumerate(names):
        with (folder / str(number)).open("rb") as file:
            _check(file.read(SNIFFED), name)


async def _again(request: Request, running: Monitor, id: str, wait: bool) -> JobView:
    """The answer to an upload that has been made already. It is read to its end, or the client would not hear it."""
    async for _ in request.stream():
        pass
    return await _answer(request, running, running.jobs.get(id), wait)


def _check(head: bytes, name: str) -> None:
    try:
        sniff(head)
    except ContainerError as error:
        raise Problem(415, f"{name}: {error}") from None


async def _submit(
    request: Request, running: Monitor, id: str, names: tuple[str, ...], options: JobOptions, wait: bool
) -> JobView:
    return await _answer(request, running, await asyncio.to_thread(running.jobs.submit, id, names, options), wait)


async def _answer(request: Request, running: Monitor, job: Job, wait: bool) -> JobView:
    id = job.id
    if wait:
        job = await running.jobs.wait(id, WAIT)
        if job.state == "done" and job.frames <= _MOST_WAITED_ROWS:
            rows = await asyncio.to_thread(lambda: [row_view(row) for row in running.jobs.rows(id)])
            found = JobScores(job=job_view(job), scores=rows)
            return JSONResponse(found.model_dump(mode="json"))  # type: ignore[return-value]
    response = job_view(job)
    return JSONResponse(  # type: ignore[return-value]
        response.model_dump(mode="json"), 202, {"Location": request.url_for("read_job", id=id).path}
    )


def _options(given: dict[str, str]) -> JobOptions:
    try:
        return Fields(**{name: value or None for name, value in given.items()}).options()  # type: ignore[arg-type]
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise Problem(422, "; ".join(faults)) from None


def _named(name: str) -> str:
    """A client's name of a file. It names clips; nothing on disk has it."""
    name = name.replace("\\", "/").rpartition("/")[2]
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise Problem(422, "expected a file name of 1 to 200 characters")
    return name


def _length(request: Request) -> int | None:
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "smooth": {"type": "string", "examples": ["gaussian:1"]},
                        "normalize": {"type": "string", "enum": ["none", "video", "global"]},
                        "align": {"type": "string", "enum": ["last", "centre"]},
                        "repair": {"type": "string", "examples": ["flip,noise"]},
                        "fps": {"type": "number"},
                        "model": {"type": "string"},
                        "skip_bad": {"type": "boolean"},
                    },
                }
            }
        },
    }
}
