"""The web application: everything of the service behind one ASGI callable."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from model import __version__
from service import problems
from service.api import (
    cameras,
    events,
    export,
    health,
    ingest,
    jobs,
    learning,
    models,
    pages,
    picture,
    progress,
    scores,
    session,
    streams,
    tickets,
    timeline,
    videos,
    webhooks,
    what_if,
)
from service.logs import RequestLog
from service.methods import Heads
from service.monitor import Monitor
from service.patience import Patience
from service.problems import Problem
from service.rooted import Rooted
from service.settings import Settings

MOST_BODY = 1 << 20
"""Bytes of a request that is no upload."""

SILENCE = 60.0
"""Seconds that a client may be silent in the middle of a request."""

_ABOUT = """Scores every frame of cameras and videos by how badly it fits what was learned as normal.

Websockets, which this page cannot show: `/v1/streams/{id}/ingest` (frames in, scores back), `/v1/streams/{id}/scores`
and `/v1/scores` (scores as they come), `/v1/streams/{id}/picture` (the newest picture, at the viewer's pace)."""


def create_app(settings: Settings) -> FastAPI:
    """The application of these settings. Its lifespan starts and stops the service, unless that runs already.

    Args:
        settings: of the service.
    """
    monitor = Monitor(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        await monitor.start()
        try:
            yield
        finally:
            await monitor.stop()

    app = FastAPI(
        title="framewatch",
        version=__version__,
        description=_ABOUT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        max_body_size=MOST_BODY,
    )
    app.state.monitor = monitor
    problems.install(app, most_uploaded=settings.max_upload_bytes)
    app.add_middleware(Heads)
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.allowed_origins),
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "X-API-Key",
                "Content-Type",
                "Idempotency-Key",
                "Last-Event-ID",
                "X-Request-ID",
                "X-CSRF-Token",
            ],
            expose_headers=["Location", "Retry-After", "X-Request-ID"],
        )
    app.add_middleware(Patience, seconds=SILENCE)
    app.add_middleware(RequestLog)
    app.add_middleware(Rooted, root=settings.root_path)
    for module in (
        *(health, cameras, streams, picture, what_if, timeline, ingest, scores, events, export),
        *(jobs, progress, models, learning, tickets, session, webhooks),
    ):
        app.include_router(module.router)
    app.include_router(videos.make_router(settings.max_upload_bytes))
    app.include_router(pages.make_router())
    _add_docs(app)

    @app.websocket("/{path:path}")
    async def nowhere(path: str) -> None:
        """The framework's own answer would be 403, as if a key were wrong."""
        raise Problem(404, f"there is no websocket at /{path}")

    return app


def _add_docs(app: FastAPI) -> None:
    """The page /docs, whose scripts come with an installed package: nothing is fetched from elsewhere."""
    app.mount("/docs/assets", StaticFiles(directory=str(files("fastapi_offline") / "static")), name="docs-assets")

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        return get_swagger_ui_html(
            openapi_url=f"{root}/openapi.json",
            title="framewatch",
            swagger_js_url=f"{root}/docs/assets/swagger-ui-bundle.js",
            swagger_css_url=f"{root}/docs/assets/swagger-ui.css",
            swagger_favicon_url=f"{root}/docs/assets/favicon.png",
        )

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            schema["components"]["securitySchemes"] = {
                "key": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            }
            schema["security"] = [{"key": []}, {"header": []}]
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
