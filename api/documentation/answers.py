"""What several answers of this service share: pages, what a request asked for, words of success, error statuses."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from api.kernel.errors import invalid, responses
from sql.documentation.entities import Asked

READS = responses(400, 401, 403, 404, 429, 503)
CHANGES = responses(400, 401, 403, 404, 409, 412, 413, 422, 429, 503)
DELETES = responses(400, 401, 403, 404, 412, 422, 429, 503)


class Done(Struct, frozen=True, kw_only=True):
    """A write that has nothing to show."""

    success: bool = True
    message: str


class Page(Struct, frozen=True, kw_only=True):
    """Which part of what fits, in which order."""

    limit: int
    offset: int
    order_by: str
    order_direction: Literal["ASC", "DESC", "asc", "desc"]

    def asked(self, filters: Mapping[str, Any], search: str | None) -> Asked:
        """The rows to look for."""
        return Asked(
            filters=filters,
            search=(search or "").strip() or None,
            limit=self.limit,
            offset=self.offset,
            order_by=self.order_by,
            direction="ASC" if self.order_direction.upper() == "ASC" else "DESC",
        )


def echoed(filters: Mapping[str, Any], search: str | None, page: Page) -> dict[str, Any]:
    """The filters that a request asked for, and its page."""
    asked = {name: value for name, value in {**filters, "search": search}.items() if value is not None}
    return {**asked, "limit": page.limit, "offset": page.offset}


def something(values: dict[str, Any]) -> dict[str, Any]:
    """`values`. Raises InvalidRequestError when there are none: the body changes nothing."""
    if not values:
        raise invalid("body", "expected at least one field that can be changed, found none")
    return values
