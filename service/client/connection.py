"""What every request of the client goes through: the address, who asks, and what a refusal becomes."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote, urlencode, urlsplit

import httpx2
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from service.client.sending import ServiceError, detail_of

LISTENER: float = 0.5
"""Seconds that the goodbye of one who only listens may take: it comes behind all that was not read."""


class Connection:
    """Requests and websockets to one service."""

    def __init__(self, url: str, *, key: str | None = None, timeout: float = 30.0) -> None:
        """Makes a client; nothing is sent yet.

        Args:
            url: of the service, with its root path if it has one.
            key: API key; None: the service needs none, or `log_in` is called.
            timeout: seconds that it may take to answer.
        """
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx2.Client(base_url=self._url, headers=self._headers, timeout=timeout)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def request(self, method: str, path: str, **arguments: Any) -> httpx2.Response:
        """Sends any request.

        Raises:
            ServiceError: it was refused.
        """
        response = self._http.request(method, path, **arguments)
        if response.is_error:
            raise _refusal(response)
        return response

    # who asks

    def session(self) -> dict[str, Any]:
        """Who asks: `auth` (whether keys are needed), `name` and `scopes` of the key; no scopes: nobody."""
        return self._object("GET", "/v1/session")

    def log_in(self, key: str) -> dict[str, Any]:
        """Logs in as the dashboard does: a cookie stands for the key from now on, and websockets have it too."""
        session = self._object("POST", "/v1/session", json={"key": key})
        self._http.headers["X-CSRF-Token"] = session["csrf"]
        return session

    def log_out(self) -> None:
        """Ends the login, and its cookie is worth nothing."""
        self.request("DELETE", "/v1/session")
        self._http.headers.pop("X-CSRF-Token", None)

    def create_ticket(self) -> dict[str, Any]:
        """A ticket by which somebody else opens one websocket (`?ticket=`), within `seconds`."""
        return self._object("POST", "/v1/tickets")

    def _object(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        return cast(dict[str, Any], self.request(method, path, **arguments).json())

    def _list(self, path: str, name: str) -> list[dict[str, Any]]:
        return cast(list[dict[str, Any]], self.request("GET", path).json()[name])

    def _pages(self, path: str, name: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All items of a list that comes in pages; a query that is None is not sent."""
        params = given(**query)
        while True:
            page = self._object("GET", path, params=params)
            yield from page[name]
            if page["next"] is None:
                return
            params["cursor"] = page["next"]

    @contextmanager
    def _websocket(self, path: str, goodbye: float = 10.0, **query: Any) -> Generator[ClientConnection, None, None]:
        """A websocket, closed when the block is left; `goodbye`: seconds that the service may take to answer that."""
        cookie = self._http.build_request("GET", path).headers.get("cookie")
        try:
            socket = connect(
                f"ws{self._url.removeprefix('http')}{path}?{urlencode(given(**query))}",
                additional_headers={**self._headers, **given(Cookie=cookie)},
                origin=Origin("://".join(urlsplit(self._url)[:2])) if cookie else None,  # a cookie is not taken without
                compression=None,
                open_timeout=self._timeout,
                close_timeout=goodbye,
                max_size=None,
                proxy=None,
            )
        except InvalidStatus as error:
            response = error.response
            raise ServiceError(response.status_code, detail_of(bytes(response.body or b""))) from None
        with socket:
            yield socket


def until_ended(
    what: str, look: Callable[[], dict[str, Any]], states: Collection[str], *, seconds: float, every: float
) -> dict[str, Any]:
    """What `look` gives, as soon as its state is one of those in which nothing happens any more.

    Raises:
        TimeoutError: it is not, after so many seconds.
    """
    until = time.monotonic() + seconds
    while (found := look())["state"] not in states:
        if time.monotonic() > until:
            raise TimeoutError(f"{what} is {found['state']} after {seconds:g} seconds")
        time.sleep(every)
    return found


def part(text: str | int) -> str:
    """A name as one part of a path."""
    return quote(str(text), safe="")


def given(**values: Any) -> dict[str, Any]:
    """The values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def named(request: str | None) -> dict[str, Any]:
    """The header by which a request that is sent again is known."""
    return given(**{"Idempotency-Key": request})


def _refusal(response: httpx2.Response) -> ServiceError:
    after = response.headers.get("retry-after", "")
    return ServiceError(response.status_code, detail_of(response.content), float(after) if after.isdecimal() else None)
