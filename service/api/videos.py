"""Videos to be scored: uploads become jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import JSONResponse

from service.api.deps import INGEST, RequestName, Running, place_of, problems
from service.api.job_views import JobScores, JobView, job_view, row_view
from service.api.uploads import Fields, Upload, named, receive_file, receive_form
from service.monitor import Monitor
from service.problems import Problem
from service.records import Job
from service.repeats import Place

WAIT = 60.0
"""Seconds that `wait` waits at most."""

_WAIT = "Answer with the scores if they are there in a minute, or with what the job failed of."
_MOST_WAITED_ROWS = 20_000
_LOOK = 16 << 20  # bytes of an upload between two looks at what is free on the disk
_RESULTS = problems(404, 408, 409, 413, 415, 429, 507)

Receive = Callable[[AsyncGenerator[bytes, None], Path | None], Awaitable[Upload]]
"""Receives a body as it comes into a folder; None: nothing is kept."""


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
        wait: Annotated[bool, Query(description=_WAIT)] = False,
        name: RequestName = None,
    ) -> JobView:
        """Videos, or zips of videos or of folders of frames, as a form; scored as one job."""
        place = place_of(request, "videos", name)

        async def receive(body: AsyncGenerator[bytes, None], folder: Path | None) -> Upload:
            return await receive_form(request.headers, body, folder, hashed=place is not None)

        return await _answer(request, running, await _upload(request, running, place, receive), wait)

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
        file = named(name)
        place = place_of(request, "videos", request_name)

        async def receive(body: AsyncGenerator[bytes, None], folder: Path | None) -> Upload:
            return await receive_file(body, file, options, folder, hashed=place is not None)

        return await _answer(request, running, await _upload(request, running, place, receive), fields.wait)

    return router


class _Query(Fields):
    wait: bool = Field(False, description=_WAIT)
    ticket: str | None = None


async def _upload(request: Request, running: Monitor, place: Place | None, receive: Receive) -> Job:
    """Makes a job of an upload, or finds the one that was made of it. That is read to its end all the same: to see that
    it is the same upload, and since a client that still sends would not hear the answer."""
    async with running.repeats.claim(place, exists=running.jobs.has) as claim:
        if claim.made is not None:
            claim.asks((await receive(request.stream(), None)).content())
            return running.jobs.get(claim.made)
        id, folder = await asyncio.to_thread(running.jobs.admit, _length(request))
        try:
            upload = await receive(_body(request, running), folder)
            claim.asks(upload.content())
            await asyncio.to_thread(claim.remember, id)
            return await asyncio.to_thread(running.jobs.submit, id, upload.names, upload.options)
        except BaseException:
            running.jobs.discard(folder)
            raise


async def _body(request: Request, running: Monitor) -> AsyncGenerator[bytes, None]:
    """The body of an upload as it comes. Several at once, or one of unknown length, must not fill the disk."""
    room = _LOOK
    async for chunk in request.stream():
        room -= len(chunk)
        if room < 0:
            await asyncio.to_thread(running.jobs.check_space)
            room = _LOOK
        yield chunk


async def _answer(request: Request, running: Monitor, job: Job, wait: bool) -> JobView:
    id, location = job.id, request.url_for("read_job", id=job.id).path
    if wait:
        job = await running.jobs.wait(id, WAIT)
        if job.state == "failed":
            raise Problem(422, f"job {id} failed: {job.error}", location=location)
        if job.state == "cancelled":
            raise Problem(409, f"job {id} is cancelled", location=location)
        if job.state == "done" and job.frames <= _MOST_WAITED_ROWS:
            rows = await asyncio.to_thread(lambda: [row_view(row) for row in running.jobs.rows(id)])
            found = JobScores(job=job_view(job), scores=rows)
            return JSONResponse(found.model_dump(mode="json"))  # type: ignore[return-value]
    response = job_view(job)
    return JSONResponse(  # type: ignore[return-value]
        response.model_dump(mode="json"), 202, {"Location": location}
    )


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
