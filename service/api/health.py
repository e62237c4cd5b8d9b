"""Probes, metrics, version."""

from __future__ import annotations

import asyncio
import platform
from typing import Any

import av
import torch
from fastapi import APIRouter, Response

from model import __version__
from service import metrics
from service.api.deps import READ, Running, problems

router = APIRouter(tags=["service"])


@router.get("/healthz", operation_id="alive")
async def alive() -> dict[str, str]:
    """Whether the process answers."""
    return {"status": "alive"}


@router.get("/readyz", operation_id="ready", responses={503: {"description": "Not ready; the reasons"}})
async def ready(running: Running, response: Response) -> dict[str, Any]:
    """Whether frames are scored: the model is warm, the engine moves, scores can be stored."""
    reasons = running.reasons()
    if reasons:
        response.status_code = 503
        response.headers["Retry-After"] = "5"
    return {"ready": not reasons, "reasons": reasons}


@router.get("/metrics", operation_id="metrics", dependencies=[READ], response_class=Response, responses=problems())
async def read_metrics(running: Running) -> Response:
    """Counters and histograms for Prometheus."""
    return Response(await asyncio.to_thread(running.metrics.text), media_type=metrics.CONTENT_TYPE)


@router.get("/v1/version", operation_id="version", dependencies=[READ], responses=problems())
async def version(running: Running) -> dict[str, Any]:
    """What runs here."""
    active = running.models.active
    return {
        "framewatch": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "ffmpeg": av.ffmpeg_version_info,
        "device": running.device,
        "model": None if active is None else active.name,
        "epoch": running.store.epoch,
    }
