"""Addresses in the file: what to listen on, where a service answers, which peers are proxies."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from gateway.config.fields import VARIABLE, Lenient, NotEmpty, Text, as_list, refusal
from gateway.errors import ProtocolError
from gateway.http1.host import parse_host
from gateway.policy.model import Endpoint
from gateway.policy.peers import Network

_AnyIP: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_MAX_PORT: Final = 65535
_LISTEN_CURE: Final = "write host:port or [v6]:port, for example 127.0.0.1:8080"
_PUBLIC_CURE: Final = f"{_LISTEN_CURE}, or unix:/path"
_MAX_SOCKET_BYTES: Final = 103  # sun_path: 108 in unix(7) and 104 on macOS, with a NUL behind it
_ENDPOINT_CURE: Final = "write http://host:port, https://host:port or unix:/path"
_SCHEME_PORTS: Final = {"http": 80, "https": 443}
_PORT: Final = re.compile(r"0|[1-9][0-9]{0,4}")


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port to listen on or to connect to."""

    host: str  # a name or an address, IPv6 without brackets
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this host can connect; of names that is known of ``localhost`` alone."""
        ip = _ip_address(self.host)
        return ip is not None and ip.is_loopback

    def overlaps(self, other: "Address") -> bool:
        """Whether a client of *other* may reach this: one port, and one host or all of them."""
        if not self.port or self.port != other.port:  # port 0 is whichever is free
            return False
        if self.host == other.host:
            return True
        one, two = _ip_address(self.host), _ip_address(other.host)
        if one is None or two is None or one.version != two.version:
            return False
        return one == two or one.is_unspecified or two.is_unspecified


@dataclass(frozen=True, slots=True)
class SocketFile:
    """A Unix socket to listen on."""

    path: str  # relative ones count from the working directory

    def __str__(self) -> str:
        return f"unix:{self.path}"


def _ip_address(host: str) -> _AnyIP | None:
    try:
        return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return None


def parse_address(text: str) -> Address | None:
    """Read ``host:port`` or ``[v6]:port``; None where it is neither."""
    host, _, port = text.rpartition(":")
    if not _PORT.fullmatch(port) or int(port) > _MAX_PORT or ("[" in host) != (":" in host):
        return None
    name = parse_host_name(host)
    return Address(name.strip("[]"), int(port)) if name is not None else None


def parse_host_name(text: str) -> str | None:
    """Read a host without port, in lower case and IPv6 in brackets; None where it is not one."""
    try:
        name = parse_host(text.encode("ascii")).decode("ascii")
    except (ProtocolError, UnicodeEncodeError):
        return None
    if name != text.lower().removesuffix(".") or not name.strip("."):
        return None  # it had a port
    if name.rpartition(".")[2].isdigit():  # resolvers read "22" as 0.0.0.22
        try:
            ipaddress.IPv4Address(name)
        except ValueError:
            return None
    return name


def _parse_listen(value: object) -> Address:
    text = value if isinstance(value, str) else ""
    if text.startswith("unix:"):
        raise refusal("the admin listener has no Unix socket", _LISTEN_CURE)
    address = parse_address(text)
    if address is None:
        raise refusal("{value} is not an address to listen on", _LISTEN_CURE)
    return address


def _parse_public(value: object) -> Address | SocketFile:
    text = value if isinstance(value, str) else ""
    if not text.startswith("unix:"):
        address = parse_address(text)
        if address is None:
            raise refusal("{value} is not an address to listen on", _PUBLIC_CURE)
        return address
    return SocketFile(_parse_socket_path(text))


def _parse_socket_path(text: str) -> str:
    path = text.removeprefix("unix:")
    if not path.isprintable() or not 0 < len(path.encode("utf-8")) <= _MAX_SOCKET_BYTES:
        raise refusal(
            "{value} cannot be a Unix socket",
            f"write unix:/path with a path of at most {_MAX_SOCKET_BYTES} bytes",
        )
    return str(path)


def _parse_endpoint(value: object) -> Endpoint:
    text = value if isinstance(value, str) else ""
    if text.startswith("unix:"):
        return Endpoint("localhost", 0, socket=_parse_socket_path(text))
    scheme, _, authority = text.partition("://")
    if scheme in _SCHEME_PORTS and (name := parse_host_name(authority)) is not None:
        authority = f"{name}:{_SCHEME_PORTS[scheme]}"
    address = parse_address(authority) if scheme in _SCHEME_PORTS else None
    if address is None or not address.port:
        raise refusal("{value} is not an endpoint", _ENDPOINT_CURE)
    return Endpoint(address.host, address.port, secure=scheme == "https")


def _check_server_name(value: str) -> str:
    name = parse_host_name(value)
    if name is None:
        raise refusal("{value} is not a name of a server", "write a name, such as api.internal")
    return name.strip("[]")


def _parse_network(value: object) -> Network:
    network = _parse_any_network(value)
    if not network.prefixlen:
        raise refusal(
            "{value} trusts everyone on the Internet", "name the networks of your own proxies"
        )
    return network


def _parse_any_network(value: object) -> Network:
    text = value if isinstance(value, str) else ""
    network: Network | None = None
    try:
        network = ipaddress.ip_network(text, strict=False)
        ipaddress.ip_network(text)
    except ValueError:
        if network is not None:
            raise refusal("{value} has bits set behind its prefix", f"write {network}") from None
        raise refusal(
            "{value} is not a network", "write an address or a CIDR, for example 10.0.0.0/8"
        ) from None
    return network


_ADDRESS_JSON: Final = WithJsonSchema({"type": "string", "pattern": r":[0-9]{1,5}$|" + VARIABLE})
Listener = Annotated[Address, BeforeValidator(_parse_listen), _ADDRESS_JSON]
Listeners = Annotated[
    tuple[Listener, ...],
    Lenient,
    NotEmpty,
    BeforeValidator(as_list, json_schema_input_type=Listener | list[Listener]),
]
PublicListener = Annotated[
    Address | SocketFile,
    BeforeValidator(_parse_public),
    WithJsonSchema({"type": "string", "pattern": r":[0-9]{1,5}$|^unix:.|" + VARIABLE}),
]
PublicListeners = Annotated[
    tuple[PublicListener, ...],
    Lenient,
    NotEmpty,
    BeforeValidator(as_list, json_schema_input_type=PublicListener | list[PublicListener]),
]
EndpointUrl = Annotated[
    Endpoint,
    BeforeValidator(_parse_endpoint),
    WithJsonSchema({"type": "string", "pattern": r"^https?://.|^unix:.|" + VARIABLE}),
]
ServerName = Annotated[Text, AfterValidator(_check_server_name)]
TrustedNetwork = Annotated[
    Network, BeforeValidator(_parse_network), WithJsonSchema({"type": "string"})
]
ClientNetwork = Annotated[
    Network, BeforeValidator(_parse_any_network), WithJsonSchema({"type": "string"})
]
