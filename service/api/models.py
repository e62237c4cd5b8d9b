"""Models of the folder, and which one is active."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from service.api.deps import ADMIN, READ, Running, problems
from service.models import Listing
from service.monitor import Monitor

router = APIRouter(prefix="/v1/models", tags=["models"])


class ModelView(BaseModel):
    """A model of the folder."""

    name: str
    bytes: int
    active: bool
    given: bool = Field(description="It comes with the configuration or the package, and cannot be deleted.")
    error: str
    sha256: str | None
    config: dict[str, Any] | None
    calibration: dict[str, Any] | None
    provenance: dict[str, Any] | None
    streams: list[str] = Field(description="Ids of the streams that it scores now.")


class ModelList(BaseModel):
    models: list[ModelView]


@router.get("", operation_id="list_models", dependencies=[READ], responses=problems())
async def models(running: Running) -> ModelList:
    """All models, also those that cannot be used."""
    return ModelList(models=[_view(one, running) for one in await asyncio.to_thread(running.models.list)])


@router.post("/{name}/activate", operation_id="activate_model", dependencies=[ADMIN], responses=problems(404, 409))
async def activate(name: str, running: Running) -> ModelView:
    """Score all streams that name no model with this one: warmed first; if it does not fit one, nothing changes."""
    await asyncio.to_thread(running.activation.activate, name)
    found = {one.name: one for one in await asyncio.to_thread(running.models.list)}
    return _view(found[name], running)


@router.delete(
    "/{name}",
    operation_id="delete_model",
    status_code=204,
    dependencies=[ADMIN],
    responses=problems(404, 409),
)
async def delete(name: str, running: Running) -> None:
    """Remove a model from the folder for good; one that is active, or that a stream names, is refused."""
    await asyncio.to_thread(running.activation.delete, name)


def _view(one: Listing, running: Monitor) -> ModelView:
    about = one.about
    return ModelView(
        name=one.name,
        bytes=one.bytes,
        active=one.active,
        given=one.given,
        error=one.error,
        sha256=None if about is None else about.sha256,
        config=None if about is None else asdict(about.config),
        calibration=None if about is None else asdict(about.calibration),
        provenance=None if about is None else asdict(about.provenance),
        streams=[
            member.id
            for member in running.roster
            if member.stream is not None and member.stream.plan.model.name == one.name
        ],
    )
