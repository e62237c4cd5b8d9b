"""Errors as clients see them: problem+json (RFC 9457), whatever raised them."""

from __future__ import annotations

import errno
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, ValidationException, WebSocketRequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketState

from service import messages
from service.addresses import AddressError
from service.methods import allowed
from service.models import ModelError, UnknownModelError
from service.plan import OptionError
from service.scorer import ScorerError
from service.store import CursorError, StoreUnavailable

RETRY_AFTER = 5
"""Seconds that a client should wait where nothing better is known."""

_UPLOADS = "/v1/videos"
log = logging.getLogger(__name__)


class Problem(Exception):
    """Ends a request with an error; raised anywhere below a route, also before a websocket is accepted.

    Attributes:
        status: of HTTP.
        detail: what is wrong and what to do, in words.
        errors: one entry for each part of the request that is wrong.
        retry_after: seconds after which it may work; None: it will not by itself.
        location: path of what the request made all the same; None: nothing.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        retry_after: int | None = None,
        location: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after
        self.location = location


def not_found(what: str, id: object) -> Problem:
    """404 for a thing by its id, which is shown shortened."""
    return Problem(404, f"there is no {what} {str(id)[:80]!r}")


def upload_too_large(most: int) -> Problem:
    """The problem of an upload of more bytes than are allowed."""
    return Problem(413, f"an upload may have {most} bytes at most")


def install(app: FastAPI, *, most_uploaded: int | None = None) -> None:
    """Makes every error of an application a problem.

    Args:
        app: the application.
        most_uploaded: bytes that a video may have, for whoever sends a larger one.
    """
    answer: Any = _answer  # of a request and of a websocket alike, which the framework does but its types do not know
    app.add_exception_handler(Problem, answer)
    app.add_exception_handler(HTTPException, answer)
    app.add_exception_handler(RequestValidationError, answer)
    app.add_exception_handler(WebSocketRequestValidationError, answer)
    app.add_exception_handler(ClientDisconnect, answer)
    app.add_exception_handler(OSError, answer)  # a full disk is no fault, after which the connection would be closed
    for kind in _STATUSES:
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(Exception, answer)
    build = app.build_middleware_stack
    # Around everything: the framework's own limit of bodies stands outside the middleware that can be added.
    app.build_middleware_stack = lambda: PlainRefusals(build(), most_uploaded)  # type: ignore[method-assign]


class PlainRefusals:
    """Makes problems of the refusals that the framework writes as plain text, such as of a body announced too large."""

    def __init__(self, app: ASGIApp, most_uploaded: int | None) -> None:
        self._app = app
        self._most_uploaded = most_uploaded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        plain: Message | None = None

        async def answer(message: Message) -> None:
            nonlocal plain
            if message["type"] == "http.response.start" and _is_plain_refusal(message):
                plain = message
            elif plain is None:
                await send(message)
            elif not message.get("more_body", False):
                problem = self._refusal(plain["status"], scope["path"], message.get("body", b"").decode())
                response = respond(problem, scope["path"])
                response.headers.update(_kept(plain))
                await response(scope, receive, send)

        await self._app(scope, receive, answer)

    def _refusal(self, status: int, path: str, said: str) -> Problem:
        if status == 413 and self._most_uploaded is not None and _UPLOADS in path:
            return upload_too_large(self._most_uploaded)
        return Problem(status, _PLAIN.get(status, said))


def respond(problem: Problem, instance: str) -> Response:
    """The response of a problem.

    Args:
        problem: what to say.
        instance: path of the request.
    """
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": _phrase(problem.status),
        "status": problem.status,
        "detail": problem.detail,
        "instance": instance,
    }
    if problem.errors:
        body["errors"] = list(problem.errors)
    headers = {"Cache-Control": "no-store"}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    if problem.location is not None:
        headers["Location"] = problem.location
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if problem.status == 500:
        headers["Connection"] = "close"  # which the server does after a fault
    return Response(orjson.dumps(body, default=str), problem.status, headers, "application/problem+json")


async def _answer(connection: HTTPConnection, error: Exception) -> Response | None:
    problem = _problem_of(error)
    response = respond(problem, connection.url.path)
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    if problem.status == 405:
        response.headers["Allow"] = allowed(connection)  # the framework names those of one route
    if isinstance(connection, WebSocket):
        await _end_websocket(connection, problem, response)
        return None  # a second response would be one too many
    return response


async def _end_websocket(websocket: WebSocket, problem: Problem, response: Response) -> None:
    if websocket.application_state is WebSocketState.CONNECTING:
        await websocket.send_denial_response(response)
    elif websocket.application_state is WebSocketState.CONNECTED:
        fault = problem.status >= 500
        await websocket.send_text(messages.error("fault" if fault else "refused", problem.detail).decode())
        await websocket.close(1011 if fault else 1008, problem.detail[:100])


def _problem_of(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException) and error.status_code == 400:  # how the framework calls a body that is no JSON
        return Problem(422, "the body cannot be read: expected JSON in UTF-8")
    if isinstance(error, HTTPException):
        return Problem(error.status_code, str(error.detail), retry_after=RETRY_AFTER if _is_busy(error) else None)
    if isinstance(error, ValidationException):
        return _invalid(error)
    if isinstance(error, ClientDisconnect):
        return Problem(408, "the body of the request did not come")
    for kind, status in _STATUSES.items():
        if isinstance(error, kind):
            return Problem(status, str(error), retry_after=RETRY_AFTER if status == 503 else None)
    if isinstance(error, OSError) and error.errno in _FULL:
        return Problem(507, f"the disk is full ({error.strerror}): make room", retry_after=60)
    log.error("a request failed", exc_info=error)
    return Problem(500, "the service failed on this request; its log says why")


def _is_plain_refusal(message: Message) -> bool:
    return message["status"] >= 400 and Headers(raw=message["headers"]).get("content-type", "").startswith("text/plain")


def _kept(message: Message) -> dict[str, str]:
    """The headers of an answer, but for those of its body."""
    of_body = ("content-type", "content-length")
    return {name: value for name, value in Headers(raw=message["headers"]).items() if name not in of_body}


def _invalid(error: ValidationException) -> Problem:
    """Names each part that is wrong. What was sent is not repeated: it may hold a password."""
    faults = [
        {"where": ".".join(map(str, fault["loc"])), "detail": str(fault["msg"]).removeprefix("Value error, ")}
        for fault in error.errors()
    ]
    said = "; ".join(f"{fault['where']}: {fault['detail']}" for fault in faults[:5])
    return Problem(422, said or "the request is not valid", errors=faults)


def _is_busy(error: HTTPException) -> bool:
    return error.status_code in (429, 503)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


_PLAIN = {413: "the body is too large", 416: "the file has no such part: `Content-Range` says how long it is"}
"""What the framework does not say, or says in other words."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_STATUSES: dict[type[Exception], int] = {
    StoreUnavailable: 503,
    ScorerError: 503,
    UnknownModelError: 404,
    ModelError: 409,
    OptionError: 422,
    AddressError: 422,
    CursorError: 422,
}
