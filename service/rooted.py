"""The path at which a reverse proxy shows the service, whether the proxy hands it on or strips it."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class Rooted:
    """Sets what ASGI calls the root path. `uvicorn --root-path` would take a path that is handed on for another one."""

    def __init__(self, app: ASGIApp, root: str) -> None:
        """Makes it.

        Args:
            app: what stands below the root.
            root: such as /cameras, or "".
        """
        self._app = app
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._root and scope["type"] in ("http", "websocket"):
            path = scope["path"]
            if path != self._root and not path.startswith(f"{self._root}/"):
                path = self._root + path
            scope = {**scope, "root_path": self._root, "path": path}
        await self._app(scope, receive, send)


def path_below(scope: Scope) -> str:
    """The path of a request without the root."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
