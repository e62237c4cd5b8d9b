"""Every error is a problem+json, and gives away nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from starlette.testclient import TestClient

from service import problems
from service.models import ModelError, UnknownModelError
from service.plan import OptionError
from service.problems import Problem
from service.store import StoreUnavailable


class Login(BaseModel):
    port: int
    password: str


def client(error: Callable[[], Exception] = lambda: Problem(409, "taken")) -> TestClient:
    app = FastAPI(max_body_size=100)
    problems.install(app)

    @app.get("/fails")
    async def fails() -> None:
        raise error()

    @app.post("/login")
    async def login(body: Login) -> None:
        """Only its body matters."""

    return TestClient(app, raise_server_exceptions=False)


def said(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["title"] and body["detail"] and body["instance"]
    return body


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Problem(409, "taken"), 409),
        (HTTPException(418, "short and stout"), 418),
        (UnknownModelError("no such model"), 404),
        (ModelError("damaged"), 409),
        (OptionError("threshold"), 422),
        (StoreUnavailable("the disk is full"), 503),
    ],
)
def test_errors_become_problems(error: Exception, status: int) -> None:
    assert said(client(lambda: error).get("/fails"), status)["detail"] == str(getattr(error, "detail", error))


@pytest.mark.parametrize("error", [StoreUnavailable("full"), Problem(503, "many", retry_after=9)])
def test_what_passes_says_when_to_come_back(error: Exception) -> None:
    assert int(client(lambda: error).get("/fails").headers["retry-after"]) > 0


def test_a_fault_of_the_service_gives_nothing_away() -> None:
    response = client(lambda: RuntimeError("password hunter2")).get("/fails")
    assert "hunter2" not in str(said(response, 500))
    assert response.headers["connection"] == "close"  # as the server does: the next request must not go there


def test_a_full_disk_costs_no_connection() -> None:
    response = client(lambda: OSError(28, "No space left on device")).get("/fails")
    assert "make room" in said(response, 507)["detail"]
    assert "connection" not in response.headers


def test_a_body_that_is_not_valid_is_told_what_is_wrong_and_not_repeated() -> None:
    body = said(client().post("/login", json={"port": "hunter2", "password": "hunter2"}), 422)
    assert body["errors"][0]["where"] == "body.port"
    assert "hunter2" not in str(body)


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/login", 405)])
def test_the_frameworks_own_errors_are_problems_too(path: str, status: int) -> None:
    said(client().get(path), status)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(chunked: bool) -> None:
    body = b'"' + b"x" * 200 + b'"'
    content = iter([body[:120], body[120:]]) if chunked else body
    response = client().post("/login", content=content, headers={"content-type": "application/json"})
    said(response, 413)
