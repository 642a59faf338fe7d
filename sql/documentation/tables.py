"""The tables of this service as its statements know them: what is read, written, searched, and in which order."""

from collections.abc import Mapping

from msgspec import Struct


class Entity(Struct, frozen=True, kw_only=True):
    """One table. `columns` are readable, `written` those a caller gives; `conditions` and `orders` are SQL on `it`."""

    name: str  # plural, as in paths and in the audit log
    table: str
    columns: tuple[str, ...]
    written: tuple[str, ...]
    json: frozenset[str]
    heading: str  # the column people know it by
    searched: tuple[str, ...]
    conditions: Mapping[str, str]
    orders: Mapping[str, str]
    referrers: tuple[tuple[str, str, str], ...] = ()  # (entity, table, column) of those that name a row of this one
    embedded: str = ""  # a further column of what is read
    joined: str = ""

    @property
    def read(self) -> str:
        """The select list."""
        return ", ".join(f"it.{name}" for name in self.columns) + (f", {self.embedded}" if self.embedded else "")

    @property
    def source(self) -> str:
        """Where it is read."""
        return f"documentation.{self.table} AS it {self.joined}".rstrip()


SYSTEM_OF = (
    "CASE WHEN system.id IS NOT NULL THEN jsonb_build_object('id', system.id, 'name', system.name, "
    "'type', system.type, 'status', system.status, 'url', system.url) END AS system"
)
JOINED = "LEFT JOIN documentation.documentation_systems AS system ON system.id = it.system_id"
PRIORITY = "array_position(ARRAY['low', 'medium', 'high', 'urgent']::text[], it.priority::text)"
TIMES = {"created_at": "it.created_at", "updated_at": "it.updated_at"}


def _equal(*names: str) -> dict[str, str]:
    return {name: f"it.{name} = %({name})s" for name in names}


SYSTEMS = Entity(
    name="systems",
    table="documentation_systems",
    columns=(
        "id", "name", "description", "type", "url", "status", "last_checked", "response_time_ms", "version", "owner",
        "tags", "metadata", "icon", "color", "host", "port", "endpoint_count", "channel_count", "created_by",
        "created_at", "updated_at",
    ),
    written=(
        "name", "description", "type", "url", "status", "version", "owner", "tags", "metadata", "icon", "color", "host",
        "port",
    ),
    json=frozenset({"tags", "metadata"}),
    heading="name",
    searched=("name", "description", "owner"),
    conditions=_equal("status", "type", "owner"),
    orders=TIMES | {"name": "it.name", "title": "it.name", "status": "it.status", "priority": "it.created_at"},
    referrers=(
        ("ideas", "documentation_ideas", "system_id"),
        ("links", "documentation_links", "system_id"),
        ("files", "documentation_files", "system_id"),
    ),
)  # fmt: skip
IDEAS = Entity(
    name="ideas",
    table="documentation_ideas",
    columns=(
        "id", "title", "description", "category", "priority", "status", "assigned_to", "system_id", "tags",
        "estimated_hours", "actual_hours", "due_date", "completed_at", "created_by", "created_at", "updated_at",
    ),
    written=(
        "title", "description", "category", "priority", "status", "assigned_to", "system_id", "tags", "estimated_hours",
        "actual_hours", "due_date", "completed_at",
    ),
    json=frozenset({"tags"}),
    heading="title",
    searched=("title", "description"),
    conditions=_equal("status", "category", "priority", "assigned_to", "system_id", "created_by"),
    orders=TIMES | {"title": "it.title", "name": "it.title", "status": "it.status", "priority": PRIORITY},
    referrers=(("files", "documentation_files", "idea_id"),),
    embedded=SYSTEM_OF,
    joined=JOINED,
)  # fmt: skip
LINKS = Entity(
    name="links",
    table="documentation_links",
    columns=(
        "id", "title", "url", "description", "system_id", "tags", "metadata", "created_by", "created_at", "updated_at",
    ),
    written=("title", "url", "description", "system_id", "tags", "metadata"),
    json=frozenset({"tags", "metadata"}),
    heading="title",
    searched=("title", "description", "url"),
    conditions=_equal("system_id") | {"tag": "it.tags ? %(tag)s"},
    orders=TIMES | {"title": "it.title"},
    embedded=SYSTEM_OF,
    joined=JOINED,
)  # fmt: skip
FILES = Entity(
    name="files",
    table="documentation_files",
    columns=(
        "id", "filename", "original_name", "mime_type", "size_bytes", "file_path", "description", "idea_id",
        "system_id", "uploaded_by", "is_public", "download_count", "checksum", "created_at", "updated_at",
    ),
    written=("description", "is_public", "system_id", "idea_id"),
    json=frozenset(),
    heading="original_name",
    searched=("original_name", "description"),
    conditions=_equal("system_id", "idea_id", "uploaded_by", "mime_type", "is_public")
    | {
        "min_size": "it.size_bytes >= %(min_size)s",
        "max_size": "it.size_bytes <= %(max_size)s",
        "created_from": "it.created_at >= %(created_from)s",
        "created_to": "it.created_at <= %(created_to)s",
    },
    orders=TIMES
    | {
        "size": "it.size_bytes",
        "size_bytes": "it.size_bytes",
        "filename": "it.filename",
        "original_name": "it.original_name",
        "mime_type": "it.mime_type",
        "download_count": "it.download_count",
    },
)  # fmt: skip
