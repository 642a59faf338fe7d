"""States of systems, ideas, links and files: every answer with one of them names its state in `ETag`, and a change or
removal with `If-Match` is made only while that state holds."""

from typing import Any

from litestar import Request, Response

from api.kernel.etags import check_match, etag_of
from sql.documentation.entities import Check
from sql.pool import Row


def tagged(response: Response[Any]) -> Response[Any]:
    """The answer with the tag of what it holds, when it holds one thing."""
    thing: Any = getattr(response.content, "data", None)
    if hasattr(thing, "id") and hasattr(thing, "updated_at"):
        response.headers.setdefault("ETag", etag_of(thing.id, thing.updated_at))
    return response


def as_seen(request: Request[Any, Any, Any]) -> Check:
    """A check of the row under its lock: 412 when it is not in the state that the caller saw."""
    header = request.headers.get("if-match")

    def check(row: Row) -> None:
        check_match(header, etag_of(row["id"], row["updated_at"]))

    return check
