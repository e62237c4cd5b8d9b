"""Which addresses the service may connect to on behalf of a client."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_ALWAYS_NAMED: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    for text in [
        "0.0.0.0/8",  # "this host"
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local
        "169.254.169.254/32",  # metadata of most clouds; 170.2 of AWS containers
        "169.254.170.2/32",
        "100.100.100.200/32",  # metadata of Alibaba
        "168.63.129.16/32",  # metadata of Azure
        "192.0.0.192/32",  # metadata of Oracle
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "::/128",
        "::1/128",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
        "fd00:ec2::254/128",  # metadata of AWS
        "fd20:ce::254/128",  # metadata of Google
    ]
)
"""Networks that only an entry for them, or for a part of them, opens: `0.0.0.0/0` does not mean the loopback."""


class Networks:
    """Which addresses a camera may have.

    Example:
        >>> Networks().allows("192.168.1.20"), Networks().allows("127.0.0.1")
        (True, False)
        >>> Networks(["10.0.0.0/8"]).allows("192.168.1.20")
        False
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """Makes the policy.

        Args:
            allowed: CIDRs; none: every address but loopback, link-local, metadata, multicast and unspecified ones,
                which an entry opens only if it lies inside them (`127.0.0.0/8`, not `0.0.0.0/0`).

        Raises:
            ValueError: an entry is no network in CIDR notation; the message says which, and why.
        """
        self._allowed: tuple[Network, ...] = tuple(ip_network(text.strip()) for text in allowed)

    def allows(self, address: str | Address) -> bool:
        """Whether a camera may have this address. Every IPv4 address that an IPv6 one carries must be allowed too."""
        try:
            found = ip_address(address.partition("%")[0]) if isinstance(address, str) else address
        except ValueError:
            return False
        return all(self._allows_one(one) for one in (found, *_carried(found)))

    def _allows_one(self, address: Address) -> bool:
        holding = [network for network in self._allowed if address in network]
        if self._allowed and not holding:
            return False
        return all(
            any(network.version == closed.version and network.subnet_of(closed) for network in holding)  # type: ignore[arg-type]
            for closed in _ALWAYS_NAMED
            if address in closed
        )


def _carried(address: Address) -> list[IPv4Address]:
    """IPv4 addresses that a gateway would make of an IPv6 address."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    number = int(address)
    if number >> 32 == 0x64FF9B << 64 or (number >> 32 == 0 and number > 1):  # NAT64; the old "compatible" form
        found.append(IPv4Address(number & 0xFFFFFFFF))
    return [one for one in found if one is not None]
