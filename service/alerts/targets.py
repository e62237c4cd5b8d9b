"""Where webhooks may point: the same strict reading of URLs and the same rules as for cameras, HTTP only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.addresses import AddressError, AddressProblem, CameraUrl, Endpoint, parse_source, resolve
from service.networks import Networks

_FORBIDDEN = "alerts may not be sent to this address; the operator lists the networks they may go to (webhook_networks)"
_SCHEME = "the URL of a webhook begins with https:// or http://"


def parse_target(url: str, networks: Networks) -> CameraUrl:
    """Reads the URL of a webhook. A name is checked when it is resolved.

    Raises:
        AddressError: it is not sent to; the message does not repeat it.
    """
    with _of_webhooks():
        found = parse_source(url, networks)
    if found.scheme not in ("http", "https"):
        raise AddressError(AddressProblem.SCHEME, _SCHEME)
    return found


def resolve_target(
    target: CameraUrl,
    networks: Networks,
    resolver: Callable[[CameraUrl, Networks], list[Endpoint]] = resolve,
) -> list[Endpoint]:
    """Looks up a webhook's host, once, and checks every address it has. Blocks.

    Raises:
        AddressError: no such name, or one of its addresses is not allowed.
    """
    with _of_webhooks():
        return resolver(target, networks)


def shown(url: str) -> str:
    """A webhook's URL as it may be shown: paths and queries of many services are secrets, so only the host."""
    scheme, _, rest = url.partition("://")
    authority = re.split("[/?]", rest, maxsplit=1)[0]
    hidden = "/***" if rest.strip("/") != authority else ""
    return f"{scheme}://{authority.rpartition('@')[2]}{hidden}"


@contextmanager
def _of_webhooks() -> Iterator[None]:
    """Says of webhooks what `service.addresses` says of cameras."""
    said = {
        AddressProblem.FORBIDDEN: _FORBIDDEN,
        AddressProblem.SCHEME: _SCHEME,
        AddressProblem.UNRESOLVED: "the receiver's host name cannot be resolved",
    }
    try:
        yield
    except AddressError as error:
        raise AddressError(error.problem, said.get(error.problem, str(error))) from None
