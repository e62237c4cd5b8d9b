"""One request to a webhook: to a checked address and no other, not redirected, within its time, its answer bounded."""

from __future__ import annotations

import base64
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Final

import httpcore2

from service.addresses import AddressError, CameraUrl, Endpoint, resolve
from service.alerts.targets import parse_target, resolve_target
from service.networks import Networks

PATIENCE: Final = 15.0
"""Seconds that a request may take, from looking up the name to the answer."""

MOST_READ: Final = 16_384
"""Bytes of an answer that are read; nothing is made of them."""

_LONGEST_WAIT: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Reply:
    """How a request went.

    Attributes:
        status: of HTTP; None: there was no answer.
        error: why it has not arrived, or "".
        retry_after: seconds that the receiver asked to wait, or None.
        seconds: it took.
    """

    status: int | None = None
    error: str = ""
    retry_after: float | None = None
    seconds: float = 0.0


class Poster:
    """Sends requests. For any thread."""

    def __init__(
        self,
        networks: Networks,
        *,
        patience: float = PATIENCE,
        resolver: Callable[[CameraUrl, Networks], list[Endpoint]] = resolve,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes it.

        Args:
            networks: where receivers may be.
            patience: seconds a request may take.
            resolver: looks up names.
            monotonic: seconds.
        """
        self._networks = networks
        self._patience = patience
        self._resolver = resolver
        self._monotonic = monotonic

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def check(self, url: str) -> None:
        """Refuses a URL that could not be sent to.

        Raises:
            AddressError: says why.
        """
        parse_target(url, self._networks)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Sends a request; whatever goes wrong is in the reply."""
        began = self._monotonic()
        status, error, retry_after = None, "", None
        try:
            status, retry_after = self._post(url, body, headers, began + self._patience)
            error = _meaning(status)
        except AddressError as wrong:
            error = str(wrong)
        except httpcore2.TimeoutException:
            error = f"the receiver did not answer within {self._patience:g} s"
        except (httpcore2.NetworkError, OSError) as wrong:
            error = _network(wrong)
        except (httpcore2.ProtocolError, httpcore2.UnsupportedProtocol, ValueError):
            error = "what answers does not speak HTTP"
        return Reply(status, error, retry_after, self._monotonic() - began)

    def _post(self, url: str, body: bytes, headers: Mapping[str, str], deadline: float) -> tuple[int, float | None]:
        target = parse_target(url, self._networks)
        endpoints = resolve_target(target, self._networks, self._resolver)
        sent = {"Host": target.authority, "Content-Length": str(len(body)), "Connection": "close", **headers}
        if target.user is not None:
            login = f"{target.user}:{target.password or ''}".encode()
            sent["Authorization"] = "Basic " + base64.b64encode(login).decode()
        where = httpcore2.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.target.encode()
        )
        times = {name: self._patience for name in ("connect", "read", "write", "pool")}
        backend = _Pinned(endpoints, deadline, self._monotonic)
        trust = self._trust if target.encrypted else None
        with (
            httpcore2.ConnectionPool(ssl_context=trust, network_backend=backend) as pool,
            pool.stream(
                "POST",
                where,
                headers=[(name.encode(), value.encode()) for name, value in sent.items()],
                content=body,
                extensions={"timeout": times},
            ) as response,
        ):
            read = 0
            for chunk in response.iter_stream():
                read += len(chunk)
                if read > MOST_READ:
                    break
            asked = next((value for name, value in response.headers if name.lower() == b"retry-after"), b"")
            return response.status, _retry_after(asked.decode("latin-1"))


class _Pinned(httpcore2.NetworkBackend):
    """Connects to addresses that were checked, whatever the name says by now."""

    def __init__(self, endpoints: Iterable[Endpoint], deadline: float, monotonic: Callable[[], float]) -> None:
        self._endpoints = list(endpoints)
        self._deadline = deadline
        self._monotonic = monotonic
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        last: Exception = httpcore2.ConnectError("no address")
        for at, endpoint in enumerate(self._endpoints):
            share = (self._deadline - self._monotonic()) / (len(self._endpoints) - at)
            try:
                stream = self._sockets.connect_tcp(str(endpoint.address[0]), port, timeout=max(0.01, share))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                last = error
            else:
                return _Timed(stream, self._deadline, self._monotonic)
        raise last


class _Timed(httpcore2.NetworkStream):
    """A connection whose reads and writes all end by one deadline: one that drips is as late as one that is silent."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: float, monotonic: Callable[[], float]) -> None:
        self._stream = stream
        self._deadline = deadline
        self._monotonic = monotonic

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._left())
        return _Timed(stream, self._deadline, self._monotonic)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _left(self) -> float:
        left = self._deadline - self._monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("the time is over")
        return left


def _meaning(status: int) -> str:
    """Why an answer says that the message has not arrived, or ""."""
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"the receiver redirects ({status}), which is not followed: give its target"
    return f"the receiver answered {status}"


def _network(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "the receiver's certificate is not trusted, out of date or for another name (SSL_CERT_FILE)"
        if isinstance(cause, ssl.SSLError):
            return "no encrypted connection to the receiver comes about"
        if isinstance(cause, ConnectionRefusedError):
            return "the receiver refuses the connection; is the port right?"
        cause = cause.__cause__ or cause.__context__
    return "the receiver cannot be reached, or ended the connection"


def _retry_after(text: str) -> float | None:
    """Seconds that a receiver asks to wait, an hour at most."""
    if text.isdecimal() and len(text) < 10:
        return min(float(text), _LONGEST_WAIT)
    try:
        return min(max(0.0, parsedate_to_datetime(text).timestamp() - time.time()), _LONGEST_WAIT) if text else None
    except (ValueError, TypeError):
        return None
