"""Bodies of answers about jobs and their scores."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from model.tables import Row
from service.api.views import Time, moment
from service.records import Job, JobState

_JOB: dict[str, Any] = {
    "id": "4f2a9c1d0b7e6a53",
    "state": "running",
    "files": ["monday.mp4"],
    "options": {"smooth": None, "normalize": "none", "align": "last", "repair": "noise", "fps": None, "model": None},
    "created": "2026-01-31T12:00:00.000000Z",
    "started": "2026-01-31T12:00:01.000000Z",
    "finished": None,
    "progress": 0.42,
    "frames": 840,
    "error": "",
}


class JobView(BaseModel):
    """Uploaded videos, and how far they are."""

    model_config = ConfigDict(json_schema_extra={"examples": [_JOB]})
    id: str
    state: JobState
    files: list[str]
    options: dict[str, Any]
    created: Time
    started: Time | None
    finished: Time | None
    progress: float
    frames: int
    error: str


class JobPage(BaseModel):
    jobs: list[JobView]
    next: str | None


class RowView(BaseModel):
    clip: str
    frame: int
    time: float
    raw: float | None
    score: float | None
    smoothed: float | None
    state: str
    reason: str


class JobScores(BaseModel):
    job: JobView
    scores: list[RowView]


def job_view(job: Job) -> JobView:
    return JobView(
        id=job.id,
        state=job.state,
        files=list(job.files),
        options=job.options,
        created=moment(job.created),
        started=moment(job.started),
        finished=moment(job.finished),
        progress=job.progress,
        frames=job.frames,
        error=job.error,
    )


def row_view(row: Row) -> RowView:
    return RowView(
        clip=row.clip,
        frame=row.frame,
        time=row.time,
        raw=row.raw,
        score=row.score,
        smoothed=row.smoothed,
        state=row.state.value,
        reason=row.reason,
    )
