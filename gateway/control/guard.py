"""Who may ask the admin listener: a program that names it rightly and shows the operator's token.

Without a token the listener is reached from this host only, and then the danger is a browser on it:
any page can make one send requests to 127.0.0.1. Such a request says so (``Origin``,
``Sec-Fetch-Site``) or, where the page had its own name point to 127.0.0.1 (DNS rebinding), names a
host that is none of ours. Caddy's admin API fell to that (CVE-2026-27589), mitmproxy's web page too
(CVE-2018-14505).

The rule to keep in mind: what is refused here has not been read, and has changed nothing.
"""

import functools
import ipaddress
from collections.abc import Iterable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.control.admin_token import AdminToken
from gateway.control.answers import Handler
from gateway.control.body import check_json
from gateway.errors import ProtocolError, Reason
from gateway.http1.host import parse_host

_LOOPBACK: Final = frozenset(("127.0.0.1", "localhost", "[::1]"))
# What a browser says of a request that no page has made: typed by a person, or from a page of this
# very listener (Fetch Metadata, section 2.3). There is no such page; a script of one sends Origin.
_NO_SITE: Final = frozenset(("none", "same-origin"))
_READING: Final = frozenset(("GET", "HEAD"))


class Guard:
    """Stands before every endpoint of the admin listener but the probes.

    Args:
        admin_token: What must be presented; where there is none, nothing.
        hosts: What the listener may be called, in lower case, IPv6 in brackets; None: anything.

    Raises:
        ValueError: Nothing at all would be asked.
    """

    __slots__ = ("_admin_token", "_hosts")

    def __init__(self, admin_token: AdminToken, hosts: frozenset[str] | None) -> None:
        if hosts is None and not admin_token:
            raise ValueError("an admin listener that answers to every name needs a token")
        self._admin_token = admin_token
        self._hosts = hosts

    def protect(self, handler: Handler) -> Handler:
        """Return what asks *handler* only where the request may."""

        @functools.wraps(handler)
        async def answer(request: Request) -> Response:
            await self.check(request)
            return await handler(request)

        return answer

    async def check(self, request: Request) -> None:
        """Check that a request may be answered.

        Raises:
            ProtocolError: ``misdirected_request``, ``origin_denied``, ``credential_missing`` (where
                the token is a wrong one, too: which of the two is nobody's business), or
                ``unsupported_media_type``, for a body that a page could send without asking first.
        """
        if not self._is_called_rightly(request):
            raise ProtocolError(Reason.MISDIRECTED_REQUEST)
        if _comes_from_page(request):
            raise ProtocolError(Reason.ORIGIN_DENIED)
        if self._admin_token and not self._admin_token.is_presented(request):
            raise ProtocolError(Reason.CREDENTIAL_MISSING, "The admin API takes the admin token.")
        if request.method not in _READING and await request.body():
            check_json(request)

    def _is_called_rightly(self, request: Request) -> bool:
        if self._hosts is None:
            return True
        values = request.headers.getlist("host")
        try:
            return len(values) == 1 and _host_name(values[0]) in self._hosts
        except ProtocolError:
            return False


def listener_names(hosts: Iterable[str]) -> frozenset[str] | None:
    """Return what listeners may be called that listen on *hosts*; None where on all addresses.

    Args:
        hosts: Names or addresses, IPv6 without brackets.
    """
    names: set[str] = set()
    for host in hosts:
        address = _find_address(host)
        if address is not None and address.is_unspecified:
            return None
        names.add(f"[{host}]" if ":" in host else host.lower())
        if host == "localhost" or (address is not None and address.is_loopback):
            names |= _LOOPBACK
    return frozenset(names)


def _comes_from_page(request: Request) -> bool:
    sites = request.headers.getlist("sec-fetch-site")
    return "origin" in request.headers or not _NO_SITE.issuperset(sites)


def _host_name(value: str) -> str:
    return parse_host(value.encode("latin-1")).decode("ascii")


def _find_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
