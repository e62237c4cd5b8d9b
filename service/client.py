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
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast
from urllib.parse import quote, urlencode

import httpx2
import orjson
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from service.ingest import END, HEADER

Message = dict[str, Any]
"""What the service says, see `service.messages`."""

_ENDED = ("done", "failed", "cancelled")


class ServiceError(Exception):
    """The service refused a request.

    Attributes:
        status: of HTTP; of a websocket that was closed, the close code.
        detail: why, in its words.
        retry_after: seconds after which it may work; None: it does not say.
    """

    def __init__(self, status: int, detail: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.retry_after = retry_after


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

    def create_stream(self, **fields: Any) -> dict[str, Any]:
        """Makes a stream: `id`, `name`, `source`, `loop` and the options."""
        return _object(self.request("POST", "/v1/streams", json=fields))

    def streams(self) -> list[dict[str, Any]]:
        """All streams."""
        return _list(self.request("GET", "/v1/streams"), "streams")

    def stream(self, id: str) -> dict[str, Any]:
        """One stream."""
        return _object(self.request("GET", f"/v1/streams/{quote(id)}"))

    def change_stream(self, id: str, **fields: Any) -> dict[str, Any]:
        """Changes what is given; None leaves it to the model or the settings."""
        return _object(self.request("PATCH", f"/v1/streams/{quote(id)}", json=fields))

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
            yield from _messages(socket)

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

    # videos

    def post_videos(self, paths: Sequence[Path], *, wait: bool = False, **options: Any) -> dict[str, Any]:
        """Uploads videos or zips as one job; with `wait`, the scores of a short one are in the answer.

        Args:
            paths: files.
            wait: answer when it is done, if that is soon.
            options: smooth, normalize, align, repair, fps, model, skip_bad.
        """
        opened = [path.open("rb") for path in paths]
        try:
            files = [("file", (path.name, file)) for path, file in zip(paths, opened, strict=True)]
            data = {name: str(value) for name, value in options.items() if value is not None}
            timeout = self._timeout + (90 if wait else 0)
            response = self.request(
                "POST", "/v1/videos", params={"wait": wait}, files=files, data=data, timeout=timeout
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
            raise ServiceError(response.status_code, _detail(bytes(response.body or b""))) from None
        with socket:
            yield socket


class Sender:
    """Sends the frames of one stream. With the policy `every` it never sends more than the service has room for.

    Attributes:
        credit: how many more frames may be sent at present; None: the service does not say (policy `latest`).
    """

    def __init__(self, socket: ClientConnection, *, header: bool) -> None:
        self.credit: int | None = None
        self._socket = socket
        self._header = header
        self._number = 0
        self._held: list[Message] = []

    def send(self, frame: bytes, *, captured: float | None = None, number: int | None = None) -> None:
        """Sends a JPEG or PNG; waits where there is no credit.

        Args:
            frame: the file.
            captured: seconds, of the source's clock; needed with a header, where now is taken for it.
            number: of the frame; counted where it is not given.

        Raises:
            ServiceError: the service has closed the connection; says why.
        """
        self._poll()
        while self.credit == 0:
            self._take(self._receive())
        if self._header:
            seconds = time.time() if captured is None else captured
            frame = HEADER.pack(round(seconds * 1e6), self._number if number is None else number, 0) + frame
        try:
            self._socket.send(frame)
        except ConnectionClosed as error:
            raise self._closed(error) from None
        self._number += 1
        if self.credit is not None:
            self.credit -= 1

    def received(self, seconds: float = 0.0) -> Iterator[Message]:
        """What has come back so far, waiting for the first so long."""
        yield from self._drained()
        while True:
            try:
                self._take(orjson.loads(self._socket.recv(timeout=seconds)))
            except TimeoutError:
                return
            except ConnectionClosed as error:
                raise self._closed(error) from None
            yield from self._drained()

    def finish(self) -> Iterator[Message]:
        """Says that all frames are sent, and gives what comes back to the end: the scores of all of them."""
        self._socket.send(END)
        yield from self._drained()
        for message in _messages(self._socket):
            self._take(message)
            yield from self._drained()

    def _poll(self) -> None:
        """Keeps what has come: a sender that reads nothing would be cut off."""
        try:
            while True:
                self._take(orjson.loads(self._socket.recv(timeout=0)))
        except TimeoutError:
            return
        except ConnectionClosed as error:
            raise self._closed(error) from None

    def _drained(self) -> Iterator[Message]:
        held, self._held = self._held, []
        yield from held

    def _receive(self) -> Message:
        try:
            return cast(Message, orjson.loads(self._socket.recv()))
        except ConnectionClosed as error:
            raise self._closed(error) from None

    def _take(self, message: Message) -> None:
        if message["type"] == "credit":
            self.credit = (self.credit or 0) + message["frames"]
        else:
            self._held.append(message)

    def _closed(self, error: ConnectionClosed) -> ServiceError:
        said = [message["detail"] for message in self._held if message["type"] == "error"]
        return _closing(error, said[-1] if said else "")


def _messages(socket: ClientConnection) -> Iterator[Message]:
    """Messages one by one, gathered ones too, until the connection is closed."""
    said = ""
    try:
        for text in socket:
            found = orjson.loads(text)
            for message in found if isinstance(found, list) else [found]:
                said = message["detail"] if message["type"] == "error" else said
                yield message
    except ConnectionClosed as error:
        raise _closing(error, said) from None


def _closing(error: ConnectionClosed, said: str) -> ServiceError:
    code, reason = (1006, "the connection was lost") if error.rcvd is None else (error.rcvd.code, error.rcvd.reason)
    return ServiceError(code, said or reason)


def _refusal(response: httpx2.Response) -> ServiceError:
    after = response.headers.get("retry-after", "")
    return ServiceError(response.status_code, _detail(response.content), float(after) if after.isdecimal() else None)


def _detail(body: bytes) -> str:
    try:
        return str(orjson.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode(errors="replace")


def _object(response: httpx2.Response) -> dict[str, Any]:
    return cast(dict[str, Any], response.json())


def _list(response: httpx2.Response, name: str) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], response.json()[name])
