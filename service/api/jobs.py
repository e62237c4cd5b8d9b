"""Jobs: how far they are, and what they found."""

from __future__ import annotations

import asyncio
import codecs
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Annotated, Any, TextIO

import orjson
from fastapi import APIRouter, Query
from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse

from model.pixelplay import write_pixelplay
from model.tables import Row, TableError, write_csv
from service.api.deps import INGEST, READ, Running, problems
from service.api.job_views import JobPage, JobScores, JobView, job_view, row_view
from service.problems import Problem

router = APIRouter(prefix="/v1/jobs", tags=["videos"])
_CHUNK = 1 << 16
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}, "description": "CSV"}}


@router.get("", operation_id="list_jobs", dependencies=[READ], responses=problems())
async def jobs(
    running: Running,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JobPage:
    """Jobs, newest first."""
    found, following = await asyncio.to_thread(running.jobs.page, cursor, limit)
    return JobPage(jobs=[job_view(job) for job in found], next=following)


@router.get("/{id}", operation_id="read_job", name="read_job", dependencies=[READ], responses=problems(404))
async def job(id: str, running: Running) -> JobView:
    """One job: its state, and progress from 0 to 1."""
    return job_view(await asyncio.to_thread(running.jobs.get, id))


@router.delete("/{id}", operation_id="delete_job", status_code=204, dependencies=[INGEST], responses=problems(404))
async def delete(id: str, running: Running) -> None:
    """Cancel a job that waits or runs; remove one that has ended, with its scores."""
    await asyncio.to_thread(running.jobs.remove, id)


@router.get("/{id}/scores", operation_id="read_job_scores", dependencies=[READ], responses=problems(404, 409))
async def scores(id: str, running: Running) -> JobScores:
    """The scores of every frame of a job that is done."""
    rows = await asyncio.to_thread(running.jobs.rows, id)
    head = orjson.dumps({"job": job_view(running.jobs.get(id)).model_dump(mode="json")})[:-1] + b',"scores":['
    return StreamingResponse(_json(head, rows), media_type="application/json")  # type: ignore[return-value]


@router.get(
    "/{id}/scores.csv",
    operation_id="read_job_table",
    dependencies=[READ],
    response_class=Response,
    responses={**problems(404, 409), **_CSV},
)
async def table(id: str, running: Running) -> Response:
    """The same as `clip,frame,time,raw,score,smoothed,state`."""
    return await _file(running, id, write_csv, "scores.csv")


@router.get(
    "/{id}/submission.csv",
    operation_id="read_job_submission",
    dependencies=[READ],
    response_class=Response,
    responses={**problems(404, 409), **_CSV},
)
async def submission(id: str, running: Running) -> Response:
    """`Id,Predicted`; clips must be named by whole numbers."""
    return await _file(running, id, write_pixelplay, "submission.csv")


async def _file(running: Running, id: str, write: Callable[[Iterator[Row], TextIO], object], name: str) -> Response:
    """A table is written to a temporary file first: an error must come before the first byte."""

    def made() -> IO[bytes]:
        file = tempfile.SpooledTemporaryFile(max_size=1 << 20)  # noqa: SIM115  # closed after the response
        try:
            write(running.jobs.rows(id), codecs.getwriter("utf-8")(file, "surrogateescape"))  # type: ignore[arg-type]
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    try:
        file = await asyncio.to_thread(made)
    except TableError as error:
        raise Problem(409, str(error)) from None
    return StreamingResponse(
        iter(lambda: file.read(_CHUNK), b""),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
        background=BackgroundTask(file.close),
    )


def _json(head: bytes, rows: Iterator[Row]) -> Iterator[bytes]:
    yield head
    held = bytearray()
    comma = b""
    for row in rows:
        held += comma + orjson.dumps(row_view(row).model_dump(mode="json"))
        comma = b","
        if len(held) >= _CHUNK:
            yield bytes(held)
            held.clear()
    yield bytes(held) + b"]}"
