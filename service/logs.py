"""Log lines: as text or JSON, with the id of the request they belong to, and without passwords."""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.addresses import redact
from service.rooted import path_below

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is being answered; "" outside of one."""

HEADER = "X-Request-ID"
_GOOD_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_SECRET = re.compile(
    r"(?i)\b(ticket|authorization|x-api-key|x-csrf-token|framewatch_[0-9a-f]{8}|bearer)\b"
    r"(\"?[=: ]+\s*(?:bearer\s+)?)[^\s&,;\"']+"
)
_KEY = re.compile(r"\bfw_[A-Za-z0-9_-]{8,}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")

log = logging.getLogger(__name__)


def configure(level: str = "info", format: Literal["text", "json"] = "text") -> None:
    """Sends all log lines of the process, uvicorn's too, to standard error.

    Args:
        level: the lowest that is written.
        format: how.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if format == "json" else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        theirs = logging.getLogger(name)
        theirs.handlers.clear()
        theirs.propagate = True
    logging.getLogger("uvicorn.access").disabled = True  # `RequestLog` says it, with the request's id
    logging.getLogger("uvicorn.error").setLevel(max(logging.INFO, root.level))
    logging.getLogger("httpx2").setLevel(logging.WARNING)


def without_secrets(text: str) -> str:
    """A text without logins in URLs, keys and tickets."""
    return _KEY.sub("fw_***", _SECRET.sub(r"\1\2***", redact(text)))


def printable(text: str) -> str:
    """A text without control characters, but for the ends of lines."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


class TextLines(logging.Formatter):
    """Lines to read."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self.converter = time.gmtime

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return _time(record)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """What a client has named must not look like a line of its own, nor command a terminal."""
        return printable(super().formatMessage(record).replace("\n", "\n    "))

    def format(self, record: logging.LogRecord) -> str:
        said = without_secrets(super().format(record))
        id = request_id.get()
        return f"{said} [{id}]" if id else said


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
        }
        if id := request_id.get():
            line["request_id"] = id
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = without_secrets(self.formatException(record.exc_info))
        try:
            return orjson.dumps(line, default=str).decode()
        except TypeError:  # a file's name may be no valid text
            return json.dumps(line, default=str)


class RequestLog:
    """Gives every request an id, which is also in its response, and logs it when it has ended."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        id = given if _GOOD_ID.fullmatch(given) else secrets.token_hex(8)
        began = time.monotonic()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start", "websocket.accept"):
                status = message.get("status", 101)
                headers = MutableHeaders(scope=message)
                headers[HEADER] = id
                headers.setdefault("X-Content-Type-Options", "nosniff")
                if path_below(scope).startswith("/v1/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        token = request_id.set(id)
        try:
            await self._app(scope, receive, answer)
        finally:
            self._log(scope, status, time.monotonic() - began)
            request_id.reset(token)

    def _log(self, scope: Scope, status: int, seconds: float) -> None:
        method = "WS" if scope["type"] == "websocket" else scope["method"]
        path = without_secrets(printable(path_below(scope).replace("\n", r"\n")))
        quiet = path in ("/healthz", "/readyz", "/metrics")
        fields = {"method": method, "path": path, "status": status, "seconds": round(seconds, 4)}
        log.log(
            logging.DEBUG if quiet else logging.INFO,
            "%s %s %d in %.3f s",
            method,
            path,
            status,
            seconds,
            extra={"fields": fields},
        )


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
