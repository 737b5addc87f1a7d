"""Hosts that lie inside: this computer and private networks, under whatever name."""

from __future__ import annotations

import ipaddress
import socket
import threading
import unicodedata
from functools import lru_cache

PATIENCE = 3.0
"""Seconds that a name server is waited for; a name without an answer is taken for public."""

_INSIDE = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa")


def is_inside(host: str) -> bool:
    """Tell whether a host, as it is written, lies on this computer or in a private network.

    Parameters
    ----------
    host
        A name or an address in any form that web clients read: 127.1, 0x7f000001 and
        2130706433 are addresses to them.

    Examples
    --------
    >>> is_inside("2130706433"), is_inside("[::ffff:10.0.0.1]"), is_inside("example.org")
    (True, True, False)
    """
    host = unicodedata.normalize("NFKC", host).lower().strip("[]").rstrip(".")
    if host == "localhost" or host.endswith(_INSIDE):
        return True
    try:
        return _is_private(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return _is_private(socket.inet_ntoa(socket.inet_aton(host)))
    except OSError:
        return False


@lru_cache(maxsize=4096)
def leads_inside(host: str) -> bool:
    """Tell whether the name of a host is that of an inside one, by asking for its addresses.

    The answer is kept for the process. A name without an answer within `PATIENCE` leads
    nowhere, which is not inside.

    Examples
    --------
    >>> from cbmcube.catalog import leads_inside
    >>> leads_inside("localhost")
    True
    """
    found: list[str] = []
    search = threading.Thread(target=_look_up, args=(host, found), daemon=True)
    search.start()
    search.join(PATIENCE)
    return any(_is_private(address.partition("%")[0]) for address in tuple(found))


def _look_up(host: str, found: list[str]) -> None:
    try:
        answers = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        return
    found.extend(str(answer[4][0]) for answer in answers)


def _is_private(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        # ::ffff:a.b.c.d, 64:ff9b::/96 and 2002::/16 carry an IPv4 address
        inner = ip.ipv4_mapped or ip.sixtofour or _translated(ip)
        if inner is not None:
            return _is_private(str(inner))
    return not ip.is_global or ip.is_multicast


def _translated(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if ip in ipaddress.ip_network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return None
