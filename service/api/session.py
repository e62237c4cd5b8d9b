"""The dashboard's login: a key is given once, a cookie that no script can read stands for it from then on."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from service.api.deps import Running, problems
from service.api.views import Body
from service.auth import SCOPES
from service.records import Scope
from service.sessions import cookie_name, csrf_of

router = APIRouter(prefix="/v1/session", tags=["service"])


class Login(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"key": "fw_..."}]})
    key: SecretStr = Field(min_length=1, max_length=200, description="An API key.")


class SessionView(BaseModel):
    """Who asks."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"auth": True, "name": "control room", "scopes": ["read"], "csrf": "9f2c..."}]}
    )
    auth: bool = Field(description="Whether keys are needed at all.")
    name: str = Field(description='Of the key; "" where none is needed.')
    scopes: list[Scope] = Field(description="None at all: nobody is logged in.")
    csrf: str = Field(description="To be sent as X-CSRF-Token with every change that relies on the cookie.")


_OPEN = SessionView(auth=False, name="", scopes=list(SCOPES), csrf="")
_NOBODY = SessionView(auth=True, name="", scopes=[], csrf="")


@router.post("", operation_id="login", responses=problems(429))
async def login(body: Login, running: Running, request: Request, response: Response) -> SessionView:
    """Log in with a key: the answer sets a cookie for this browser."""
    access = running.access
    access.check_origin(request)
    if not access.on:
        return _OPEN
    token, caller = await access.login(request, body.key.get_secret_value())
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=round(running.settings.session_days * 86_400),
        path=_path(request),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return SessionView(auth=True, name=caller.name, scopes=list(caller.scopes), csrf=csrf_of(token))


@router.get("", operation_id="read_session", responses=problems())
async def session(running: Running, request: Request) -> SessionView:
    """Who asks, and what they may do. That nobody is logged in is an answer: no browser logs it as an error."""
    access = running.access
    caller = await access.known(request)
    if caller is None:
        return _NOBODY
    if not access.on:
        return _OPEN
    token = access.token(request)
    csrf = "" if token is None else csrf_of(token)
    return SessionView(auth=True, name=caller.name, scopes=list(caller.scopes), csrf=csrf)


@router.delete("", operation_id="logout", status_code=204, responses=problems())
async def logout(running: Running, request: Request, response: Response) -> None:
    """Log out."""
    running.access.check_origin(request)
    await running.access.logout(request)
    response.delete_cookie(
        cookie_name(request),
        path=_path(request),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def _path(request: Request) -> str:
    return str(request.scope.get("root_path", "")) or "/"
