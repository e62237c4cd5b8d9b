"""The dashboard: its files, sent with a policy that lets the browser fetch and run nothing but them."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from service.problems import not_found

POLICY: Final = "; ".join(
    [
        "default-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
"""Content-Security-Policy of the page: no inline script or style, nothing off this host."""

_KINDS: Final = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
_FOREVER: Final = "public, max-age=31536000, immutable"
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_HEAD: Final = "<!-- assets -->"


def make_router() -> APIRouter:
    """The routes of the page. The files are read once: what a browser keeps for good has their digest in its address.

    Every address in the page is relative to it, so that it works under any path a proxy shows it at.
    """
    router = APIRouter(include_in_schema=False)
    assets = {
        file.name: file.read_bytes()
        for file in sorted((files("service") / "web").iterdir(), key=lambda file: file.name)
        if file.name.rpartition(".")[2] in _KINDS
    }
    shell = (files("service") / "web" / "index.html").read_text(encoding="utf-8")
    digest = hashlib.sha256(shell.encode() + b"".join(name.encode() + data for name, data in assets.items()))
    version = digest.hexdigest()[:16]
    page = shell.replace(_HEAD, _links(list(assets), f"assets/{version}")).encode()
    tag = f'"{version}"'

    @router.get("/")
    async def index(request: Request) -> Response:
        """The page; which part of it is shown stands after the # of its address, and never comes here."""
        if not request.url.path.endswith("/"):
            return RedirectResponse(f"{request.url.path}/")
        headers = {**_HEADERS, "ETag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(page, media_type="text/html; charset=utf-8", headers=headers)

    @router.get("/assets/{digest}/{name}")
    async def asset(digest: str, name: str) -> Response:
        """A file of the page; of this version only, as parts of two versions do not fit."""
        if digest != version or name not in assets:
            raise not_found("file", name)
        kind = _KINDS[name.rpartition(".")[2]]
        return Response(assets[name], media_type=kind, headers={"Cache-Control": _FOREVER})

    return router


def _links(names: list[str], folder: str) -> str:
    """What the page loads, all named at once: modules would else be found one after the other."""
    lines = [f'<link rel="icon" href="{folder}/icon.svg" type="image/svg+xml">']
    lines += [f'<link rel="stylesheet" href="{folder}/{name}">' for name in names if name.endswith(".css")]
    lines += [f'<link rel="modulepreload" href="{folder}/{name}">' for name in names if name.endswith(".js")]
    lines += [f'<script type="module" src="{folder}/main.js"></script>']
    return "\n    ".join(lines)
