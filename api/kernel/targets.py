"""Which web addresses may be asked on behalf of others: names and addresses of the public Internet, plainly written.

Other programs read an address in other ways than we do: `0177.1`, `2130706433` and `①②⑦.0.0.1` are loopback to many of
them. So an address is refused unless it has one reading, and what is passed on is written anew from its parts.
"""

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import quote, urlsplit

import idna
from msgspec import Struct

MAX_LENGTH = 2048
PORTS = {"http": 80, "https": 443}
IP = ipaddress.IPv4Address | ipaddress.IPv6Address

# Names that mean this machine or this network, whoever resolves them (RFC 6761, 6762, 8375, cloud metadata).
INNER_NAMES = (
    "localhost",
    "local",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "home.arpa",
    "localdomain",
    "onion",
    "svc",
    "consul",
)
# What `is_global` of some Python versions lets through, or what carries another address inside.
INNER_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
        *("::/8", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16"),
        *("3fff::/20", "5f00::/16", "fc00::/7", "fe80::/9", "ff00::/8"),
    )
)
METADATA = frozenset({ipaddress.ip_address("168.63.129.16")})  # Azure's, of a public range
UNSEEN = re.compile(r"[\x00-\x20\x7f-\xa0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]")
LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
BRACKETED = re.compile(r"\[[0-9A-Fa-f:.]+\](:[0-9]{0,5})?")
NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
SAFE_IN_PATH = "/:@!$&'()*+,;=~-._%"
SAFE_IN_QUERY = SAFE_IN_PATH + "?"


class RefusedTargetError(Exception):
    """An address that is not asked. The message says what is wrong with it, and never what stands behind it."""


class Target(Struct, frozen=True, kw_only=True):
    """An address of one reading: `host` is a lower-case ASCII name or an address without brackets."""

    scheme: str
    host: str
    port: int
    path: str  # with the query, percent-encoded

    @property
    def address(self) -> IP | None:
        """The host, when it is written as an address."""
        return _literal(self.host)

    @property
    def place(self) -> str:
        """`host:port`."""
        return f"{self._written}:{self.port}"

    @property
    def url(self) -> str:
        """The address written anew."""
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self._written}{port}{self.path}"

    @property
    def _written(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def target_of(text: str) -> Target:
    """The parts of an address that has one reading. Says nothing yet of where it leads: `check_public` does.

    Raises RefusedTargetError.
    """
    if len(text) > MAX_LENGTH:
        raise RefusedTargetError(f"expected at most {MAX_LENGTH} characters, found {len(text)}")
    if UNSEEN.search(text) or "\\" in text:
        raise RefusedTargetError("an address with blanks, control or invisible characters or a backslash is not taken")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise RefusedTargetError("expected http://HOST[:PORT]/… or https://…") from error
    scheme = parts.scheme.lower()
    if scheme not in PORTS or not text.lower().startswith(f"{scheme}://"):
        raise RefusedTargetError("expected an address that begins with http:// or https://")
    if "@" in parts.netloc:
        raise RefusedTargetError("an address with a user or password is not taken")
    if port == 0:
        raise RefusedTargetError("expected a port of 1 to 65535")
    if "%" in parts.netloc:
        raise RefusedTargetError("a host with percent signs or a zone is not taken")
    bracketed = "[" in parts.netloc or "]" in parts.netloc
    if bracketed and not BRACKETED.fullmatch(parts.netloc):
        raise RefusedTargetError("expected [IPv6] or [IPv6]:PORT")
    host = _host_of(parts.hostname or "", bracketed=bracketed)
    path = quote(parts.path or "/", safe=SAFE_IN_PATH)
    query = f"?{quote(parts.query, safe=SAFE_IN_QUERY)}" if parts.query else ""
    return Target(scheme=scheme, host=host, port=port or PORTS[scheme], path=path + query)


def check_public(target: Target, addresses: Collection[str] = ()) -> None:
    """Whether the name, and every address it resolved to, belong to the public Internet. Raises RefusedTargetError."""
    if target.address is None and _inner_name(target.host):
        raise RefusedTargetError("expected a name of the public Internet")
    literal = [target.host] if target.address is not None else []
    if not all(public(address) for address in [*literal, *addresses]):
        raise RefusedTargetError("expected an address of the public Internet, found one of this machine or its network")


def public(address: str) -> bool:
    """Whether a numeric address, and every other address that it carries inside, is one of the public Internet."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return False  # only ever written to be misread
    inner = any(found.version == network.version and found in network for network in INNER_NETWORKS)
    return found.is_global and not inner and not found.is_multicast and found not in METADATA


def _host_of(host: str, *, bracketed: bool) -> str:
    if bracketed:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError as error:
            raise RefusedTargetError("expected an IPv6 address between the brackets") from error
    name = _ascii(host).removesuffix(".")
    labels = name.split(".")
    if NUMBER.fullmatch(labels[-1]):
        if (literal := _literal(name)) is None:
            raise RefusedTargetError("expected an IPv4 address as four plain decimal numbers")
        return str(literal)
    if len(name) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        raise RefusedTargetError("expected a host name of letters, digits and hyphens")
    return name


def _ascii(host: str) -> str:
    if host.isascii():
        return host.lower()
    try:
        return idna.encode(host, uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError) as error:
        raise RefusedTargetError("expected a host name that IDNA allows") from error


def _literal(host: str) -> IP | None:
    try:
        return ipaddress.ip_address(host)  # knows no octal, hexadecimal or shortened forms
    except ValueError:
        return None


def _inner_name(name: str) -> bool:
    return "." not in name or any(name == inner or name.endswith(f".{inner}") for inner in INNER_NAMES)
