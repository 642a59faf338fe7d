"""Tags of a state of something that two people may edit: `If-Match` on a write says which state the writer saw.

A write without `If-Match` is taken as before; with it, another state is 412 and nothing is changed. Compare where the
row is locked, else the state may change between the look and the write.
"""

import hashlib

import msgspec
from litestar.exceptions import HTTPException


def etag_of(*state: object) -> str:
    """The tag of a state, which JSON can write: an id and the instant of its last change, say."""
    return f'"{hashlib.blake2b(msgspec.json.encode(state), digest_size=12).hexdigest()}"'


def matches(header: str | None, tag: str | None, *, weak: bool = False) -> bool:
    """Whether `If-Match` (with `weak`, `If-None-Match`) names `tag`. `tag` is None for what does not exist."""
    if header is None:
        return False
    if header.strip() == "*":
        return tag is not None
    named = [part.strip() for part in header.split(",")]
    return tag in ([part.removeprefix("W/") for part in named] if weak else named)


def check_match(header: str | None, tag: str) -> None:
    """Raise 412 when the writer saw another state than `tag`."""
    if header is not None and not matches(header, tag):
        raise HTTPException(
            status_code=412,
            detail="somebody changed this since you read it: read it again, then decide",
            headers={"ETag": tag},
        )
