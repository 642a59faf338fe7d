"""The address of a caller for whom another process of this installation asks.

It travels in a header that only a holder of the installation's key can make, counts for a minute, and is believed from
this machine alone: whatever else sends such a header is taken for who it is.
"""

import hashlib
import hmac
import ipaddress
import time

HEADER = "x-caller"
FRESH_SECONDS = 60


def telling(key: str, address: str, *, now: float | None = None) -> dict[str, str]:
    """The header that tells of `address`; none for what is no IP address."""
    try:
        said = f"{int(time.time() if now is None else now)} {ipaddress.ip_address(address)}"
    except ValueError:
        return {}
    return {HEADER: f"{said} {_signed(key, said)}"}


def told(header: str, key: str, *, now: float | None = None) -> str | None:
    """The address in a header that `key` signed a moment ago; None for every other header."""
    said, _, signature = header.rpartition(" ")
    at, _, address = said.partition(" ")
    if not hmac.compare_digest(signature.encode(), _signed(key, said).encode()):
        return None
    return address if abs((time.time() if now is None else now) - int(at)) <= FRESH_SECONDS else None


def _signed(key: str, said: str) -> str:
    return hmac.new(key.encode(), f"caller {said}".encode(), hashlib.sha256).hexdigest()
