"""A client of the service, typed: streams, frames in, scores out, videos.

Example:
    >>> with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
    ...     client.create_stream(id="gate", policy="every")
    ...     with client.ingest("gate", header=True) as sender:
    ...         sender.send(jpeg, captured=time.time())
    ...         for message in sender.finish():
    ...             print(message)
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast
from urllib.parse import quote, urlencode

import httpx2
import orjson
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from service.sending import Message, Sender, ServiceError, closing, detail_of, messages_of

__all__ = ["Client", "Message", "Sender", "ServiceError", "Shown"]

_ENDED = ("done", "failed", "cancelled")
_LEARNED = ("ready", "failed", "cancelled")
_TRIAL = 60.0  # seconds that trying a camera may take


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of a stream.

    Attributes:
        message: of which frame it is, and whether it is live.
        jpeg: the picture.
        heat: PNG of the heat map, grey, 128 at the threshold; None: not asked for.
    """

    message: Message
    jpeg: bytes
    heat: bytes | None


class Client:
    """A connection to a service. For one thread at a time."""

    def __init__(self, url: str, *, key: str | None = None, timeout: float = 30.0) -> None:
        """Makes a client; nothing is sent yet.

        Args:
            url: of the service, with its root path if it has one.
            key: API key; None: the service needs none.
            timeout: seconds that it may take to answer.
        """
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout = timeout
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

    # service

    def ready(self) -> list[str]:
        """Why the service is not ready; empty: it is."""
        response = self._http.get("/readyz")
        return cast(list[str], response.json()["reasons"])

    def version(self) -> dict[str, Any]:
        """What runs there."""
        return _object(self.request("GET", "/v1/version"))

    def models(self) -> list[dict[str, Any]]:
        """The models there are."""
        return _list(self.request("GET", "/v1/models"), "models")

    def activate(self, model: str) -> dict[str, Any]:
        """Makes a model the active one."""
        return _object(self.request("POST", f"/v1/models/{quote(model)}/activate"))

    # streams

    def create_stream(self, *, request: str | None = None, **fields: Any) -> dict[str, Any]:
        """Makes a stream: `id`, `name`, `source`, `loop` and the options; sent again with the same `request`, once."""
        return _object(self.request("POST", "/v1/streams", json=fields, headers=_named(request)))

    def put_stream(self, id: str, **fields: Any) -> dict[str, Any]:
        """Makes a stream, or has it be as it is described here; what is not given is at its default."""
        return _object(self.request("PUT", f"/v1/streams/{quote(id)}", json=fields))

    def create_demo(self) -> dict[str, Any]:
        """Makes the demo stream, if it is not there."""
        return _object(self.request("POST", "/v1/streams/demo"))

    def test_source(self, source: str) -> dict[str, Any]:
        """Tries a camera: `ok`, and what its pictures are, or what is wrong."""
        timeout = self._timeout + _TRIAL
        return _object(self.request("POST", "/v1/streams/test", json={"source": source}, timeout=timeout))

    def what_if(self, id: str, *, threshold: float | None = None, seconds: float = 3600.0) -> dict[str, Any]:
        """The events that a threshold would have found lately."""
        query = {"seconds": seconds, **({} if threshold is None else {"threshold": threshold})}
        return _object(self.request("GET", f"/v1/streams/{quote(id)}/what-if", params=query))

    def streams(self) -> list[dict[str, Any]]:
        """All streams."""
        return _list(self.request("GET", "/v1/streams"), "streams")

    def stream(self, id: str) -> dict[str, Any]:
        """One stream."""
        return _object(self.request("GET", f"/v1/streams/{quote(id)}"))

    def change_stream(self, id: str, **fields: Any) -> dict[str, Any]:
        """Changes what is given; None leaves it to the model or the settings."""
        return _object(self.request("PATCH", f"/v1/streams/{quote(id)}", json=fields))

    def accept_picture(self, id: str) -> None:
        """Says that a camera's picture is right as it is: tampering is judged against it from now on."""
        self.request("POST", f"/v1/streams/{quote(id)}/reference")

    def delete_stream(self, id: str, *, purge: bool = False) -> None:
        """Removes a stream; with `purge` also its scores and events."""
        self.request("DELETE", f"/v1/streams/{quote(id)}", params={"purge": purge})

    def scores(self, id: str, *, since: str | None = None, limit: int = 1000) -> Iterator[dict[str, Any]]:
        """Stored scores from `since` (`epoch:seq` or a time) on, oldest first, read in pages of `limit`."""
        while True:
            params = {"limit": limit, **({"since": since} if since else {})}
            page = _object(self.request("GET", f"/v1/streams/{quote(id)}/scores", params=params))
            yield from page["scores"]
            if page["next"] is None or len(page["scores"]) < limit:
                return
            since = page["next"]

    def events(self, *, stream: str | None = None, label: str | None = None) -> Iterator[dict[str, Any]]:
        """Events, newest first."""
        params = {name: value for name, value in (("stream", stream), ("label", label)) if value is not None}
        while True:
            page = _object(self.request("GET", "/v1/events", params=params))
            yield from page["events"]
            if page["next"] is None:
                return
            params["cursor"] = page["next"]

    def label_event(self, id: int, label: Literal["true", "false"] | None) -> dict[str, Any]:
        """Says whether an event was a true or a false alarm."""
        return _object(self.request("PATCH", f"/v1/events/{id}", json={"label": label}))

    def events_table(self) -> str:
        """All events with their labels, as CSV."""
        return self.request("GET", "/v1/events.csv").text

    # learning a camera

    def learn(self, stream: str, minutes: float = 30.0) -> dict[str, Any]:
        """Begins to record a stream for so many minutes, and to train a model on that."""
        return _object(self.request("POST", f"/v1/streams/{quote(stream)}/learn", json={"minutes": minutes}))

    def learnings(self) -> list[dict[str, Any]]:
        """All that was learned, or is being learned, newest first."""
        return _list(self.request("GET", "/v1/learning"), "learning")

    def learning(self, id: str) -> dict[str, Any]:
        """A learning: its state, its progress, and the report when it is ready."""
        return _object(self.request("GET", f"/v1/learning/{quote(id)}"))

    def wait_for_learning(self, id: str, *, seconds: float = 86_400.0, every: float = 0.5) -> dict[str, Any]:
        """A learning when it has ended.

        Raises:
            TimeoutError: it has not, after so many seconds.
        """
        until = time.monotonic() + seconds
        while (learning := self.learning(id))["state"] not in _LEARNED:
            if time.monotonic() > until:
                raise TimeoutError(f"learning {id} is {learning['state']} after {seconds:g} seconds")
            time.sleep(every)
        return learning

    def cancel_learning(self, id: str) -> None:
        """Cancels a learning, or forgets one that has ended."""
        self.request("DELETE", f"/v1/learning/{quote(id)}")

    def activate_learning(self, id: str) -> dict[str, Any]:
        """Has the stream scored by the model that was learned from it."""
        return _object(self.request("POST", f"/v1/learning/{quote(id)}/activate"))

    # scores as they come

    def follow(
        self, id: str | None = None, *, since: str | None = None, batch_ms: int = 0
    ) -> Generator[Message, None, None]:
        """Everything that is said of one stream, or of all, from `hello` to `bye`.

        Raises:
            ServiceError: refused, or the connection was closed other than in peace.
        """
        query: dict[str, Any] = {"batch_ms": batch_ms, **({"since": since} if since else {})}
        path = "/v1/scores" if id is None else f"/v1/streams/{quote(id)}/scores"
        with self._websocket(path, query) as socket:
            yield from messages_of(socket)

    @contextmanager
    def ingest(self, id: str, *, header: bool = False, scores: bool = True) -> Generator[Sender, None, None]:
        """Sends frames of a stream.

        Args:
            id: of the stream.
            header: frames carry their capture time; otherwise the time of arrival counts.
            scores: whether their scores come back.

        Raises:
            ServiceError: refused.
        """
        query = {"header": header, "scores": scores}
        with self._websocket(f"/v1/streams/{quote(id)}/ingest", query) as socket:
            yield Sender(socket, header=header)

    def pictures(self, id: str, *, width: int = 320, heat: bool = False) -> Generator[Shown, None, None]:
        """The newest picture of a stream, and the next one when it is asked for, until the stream is removed.

        Raises:
            ServiceError: refused, or the connection was closed other than in peace.
        """
        with self._websocket(f"/v1/streams/{quote(id)}/picture", {"width": width, "heat": heat}) as socket:
            try:
                while (message := cast(Message, orjson.loads(socket.recv())))["type"] == "picture":
                    parts = [cast(bytes, socket.recv()) for _ in range(1 + heat)]
                    yield Shown(message, parts[0], parts[1] if heat else None)
                    socket.send("next")
            except ConnectionClosed as error:
                raise closing(error, "") from None

    # videos

    def post_videos(
        self, paths: Sequence[Path], *, wait: bool = False, request: str | None = None, **options: Any
    ) -> dict[str, Any]:
        """Uploads videos or zips as one job; with `wait`, the scores of a short one are in the answer.

        Args:
            paths: files.
            wait: answer when it is done, if that is soon.
            request: a name for this upload; sent again with it, it is scored once.
            options: smooth, normalize, align, repair, fps, model, skip_bad.
        """
        opened = [path.open("rb") for path in paths]
        try:
            files = [("file", (path.name, file)) for path, file in zip(paths, opened, strict=True)]
            data = {name: str(value) for name, value in options.items() if value is not None}
            timeout = self._timeout + (90 if wait else 0)
            response = self.request(
                "POST",
                "/v1/videos",
                params={"wait": wait},
                files=files,
                data=data,
                headers=_named(request),
                timeout=timeout,
            )
        finally:
            for file in opened:
                file.close()
        return _object(response)

    def put_video(self, path: Path, **options: Any) -> dict[str, Any]:
        """Uploads one video or zip as it is, which is the quickest way."""
        with path.open("rb") as file:
            return _object(self.request("PUT", f"/v1/videos/{quote(path.name)}", params=options, content=file))

    def job(self, id: str) -> dict[str, Any]:
        """A job: its state, and progress from 0 to 1."""
        return _object(self.request("GET", f"/v1/jobs/{quote(id)}"))

    def follow_job(self, id: str) -> Generator[dict[str, Any], None, None]:
        """A job whenever it is further, until it has ended."""
        with self._websocket(f"/v1/jobs/{quote(id)}/progress", {}) as socket:
            yield from messages_of(socket)

    def wait_for_job(self, id: str, *, seconds: float = 3600.0, every: float = 0.2) -> dict[str, Any]:
        """A job when it has ended.

        Raises:
            TimeoutError: it has not, after so many seconds.
        """
        until = time.monotonic() + seconds
        while (job := self.job(id))["state"] not in _ENDED:
            if time.monotonic() > until:
                raise TimeoutError(f"job {id} is {job['state']} after {seconds:g} seconds")
            time.sleep(every)
        return job

    def job_scores(self, id: str) -> list[dict[str, Any]]:
        """The scores of a job that is done."""
        return _list(self.request("GET", f"/v1/jobs/{quote(id)}/scores"), "scores")

    def job_table(self, id: str, name: Literal["scores.csv", "submission.csv"] = "scores.csv") -> str:
        """The same as a table."""
        return self.request("GET", f"/v1/jobs/{quote(id)}/{name}").text

    def delete_job(self, id: str) -> None:
        """Cancels a job, or removes one that has ended."""
        self.request("DELETE", f"/v1/jobs/{quote(id)}")

    @contextmanager
    def _websocket(self, path: str, query: dict[str, Any]) -> Generator[ClientConnection, None, None]:
        url = f"ws{self._url.removeprefix('http')}{path}?{urlencode(query)}"
        try:
            socket = connect(
                url,
                additional_headers=self._headers,
                compression=None,
                open_timeout=self._timeout,
                max_size=None,
                proxy=None,
            )
        except InvalidStatus as error:
            response = error.response
            raise ServiceError(response.status_code, detail_of(bytes(response.body or b""))) from None
        with socket:
            yield socket


def _refusal(response: httpx2.Response) -> ServiceError:
    after = response.headers.get("retry-after", "")
    return ServiceError(response.status_code, detail_of(response.content), float(after) if after.isdecimal() else None)


def _named(request: str | None) -> dict[str, str]:
    return {} if request is None else {"Idempotency-Key": request}


def _object(response: httpx2.Response) -> dict[str, Any]:
    return cast(dict[str, Any], response.json())


def _list(response: httpx2.Response, name: str) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], response.json()[name])
