"""What becomes of LowDB's documentation file: systems, ideas, links and files, and what they refer to."""

import datetime as dt
import hashlib
import json
import uuid

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.rows import dict_row

from sql import lowdb_load
from sql.lowdb import Refused
from sql.lowdb_documentation import documentation_rows, id_of

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
SYSTEM = {
    "id": "1",
    "name": "Workspace",
    "shortName": "WS",
    "port": 3200,
    "status": "online",
    "color": "#0a0",
    "icon": "w",
}
IDEA = {"id": "1", "title": "Board", "category": "content", "priority": "high", "status": "todo", "system_id": 1}
LINK = {"id": 1, "label": "Manual", "href": "https://example.org/manual", "tags": ["pdf"], "any": {"shape": 1}}
FILE = {
    "id": "1",
    "idea_id": "1",
    "filename": "1-a.txt",
    "original_name": "a.txt",
    "mime_type": "text/plain",
    "size": 5,
}


def only(kind, record, content=lambda _: b"hello", **others):
    found = documentation_rows({kind: [record], **others}, NOW, content)[f"documentation_{kind}"]
    return (found.rows or [None])[0], [note.message for note in found.warnings + found.refusals]


@pytest.mark.parametrize(
    ("kind", "record", "name", "expected"),
    [
        ("systems", SYSTEM, "metadata", {"legacyId": "1", "shortName": "WS"}),
        ("systems", SYSTEM | {"type": "api"}, "type", "api"),
        ("systems", SYSTEM | {"tags": '["a", "b", "a"]'}, "tags", ["a", "b"]),
        ("systems", SYSTEM | {"shortName": None, "metadata": '{"a": 1}'}, "metadata", {"a": 1, "legacyId": "1"}),
        ("systems", SYSTEM | {"port": "3200"}, "port", 3200),
        ("systems", SYSTEM, "created_at", NOW),
        ("ideas", IDEA | {"system_id": None}, "system_id", None),
        ("ideas", IDEA | {"system_id": None}, "created_by", "system"),
        ("links", LINK, "metadata", LINK),
        ("links", LINK, "title", "Manual"),
        ("links", {"url": LINK["href"], "id": "2"}, "title", LINK["href"]),
        ("files", FILE | {"idea_id": None}, "checksum", hashlib.sha256(b"hello").hexdigest()),
        ("files", FILE | {"idea_id": None, "uploaded_at": "2026-11-28T12:00Z"}, "created_at", NOW),
        ("files", FILE | {"idea_id": None}, "content", "\\x68656c6c6f"),
    ],
)
def test_a_record_is_kept_as_it_is(kind, record, name, expected):
    row, told = only(kind, record)

    assert getattr(row, name) == expected
    assert [words for words in told if not words.startswith(("type is missing", "created_at"))] == []


@pytest.mark.parametrize(
    ("kind", "given", "name", "expected"),
    [
        ("systems", {"type": "daemon"}, "type", "unknown"),
        ("systems", {"status": "up"}, "status", "unknown"),
        ("systems", {"port": "many"}, "port", None),
        ("systems", {"url": "x" * 600}, "url", "x" * 512),
        ("systems", {"last_checked": "never"}, "last_checked", None),
        ("ideas", {"status": "new"}, "status", "backlog"),
        ("ideas", {"status": "In-Progress"}, "status", "in_progress"),
        ("ideas", {"priority": "critical"}, "priority", "urgent"),
        ("ideas", {"category": "api"}, "category", "uncategorized"),
        ("ideas", {"system_id": "9"}, "system_id", None),
        ("files", {"size": 6}, "size_bytes", 5),
        ("files", {"checksum": "abc"}, "checksum", hashlib.sha256(b"hello").hexdigest()),
    ],
)
def test_a_value_that_is_replaced_is_told(kind, given, name, expected):
    base = {"systems": SYSTEM | {"type": "api"}, "ideas": IDEA, "files": FILE | {"idea_id": None}}[kind]
    others = {} if kind == "systems" else {"systems": [SYSTEM]}
    row, told = only(kind, base | given, **others)

    assert getattr(row, name) == expected
    assert len(told) == 1


def test_a_record_that_cannot_be_kept_is_refused():
    def away(told):
        raise Refused(f"there is no file {told!r}")

    for kind, record in [("systems", {"id": 1}), ("ideas", IDEA | {"title": " "}), ("links", {"id": 1}), ("files", {})]:
        assert only(kind, record)[0] is None
    assert only("files", FILE, away) == (None, ["there is no file '1-a.txt'"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*SYSTEM, *IDEA, *LINK, *FILE]), inner),
    max_leaves=12,
)


@given(st.fixed_dictionaries({kind: st.lists(JSON, max_size=4) for kind in ("systems", "ideas", "links", "files")}))
def test_every_record_is_counted_once_and_none_raises(root):
    found = documentation_rows(root, NOW, lambda _: b"")

    for kind, records in root.items():
        mapped = found[f"documentation_{kind}"]
        assert len(mapped.rows) + len(mapped.duplicates) + len(mapped.refusals) == len(records)


@pytest.fixture
def stored(engines):
    with psycopg.connect(
        engines.postgres.admin_dsn("frontend_apps"), row_factory=dict_row, autocommit=True
    ) as connection:
        yield lambda statement, *params: connection.execute(statement, params).fetchall()


def test_a_file_comes_in_once_with_what_it_refers_to(engines, stored, tmp_path):
    mark = uuid.uuid4().hex
    dsns = {"documentation": engines.postgres.dsn("app_documentation", "frontend_apps")}
    root = {
        "systems": [SYSTEM | {"id": f"s{mark}", "name": f"Workspace {mark}"}],
        "ideas": [IDEA | {"id": f"i{mark}", "system_id": f"s{mark}"}],
        "links": [LINK | {"id": f"l{mark}"}],
        "files": [FILE | {"id": f"f{mark}", "idea_id": f"i{mark}", "filename": f"{mark}.txt"}],
        "nextId": 2,
    }
    (tmp_path / f"{mark}.txt").write_bytes(b"hello")
    path = tmp_path / "documentation.json"
    path.write_text(json.dumps(root), encoding="utf-8")
    first, second = (lowdb_load.import_file(path, dsns) for _ in range(2))
    file = stored("SELECT * FROM documentation.documentation_files WHERE id = %s", id_of("files", f"f{mark}"))[0]
    idea = stored("SELECT * FROM documentation.documentation_ideas WHERE id = %s", file["idea_id"])[0]

    assert {table: counts.migrated for table, counts in first.tables.items()} == dict.fromkeys(first.tables, 1)
    assert {table: counts.skipped for table, counts in second.tables.items()} == dict.fromkeys(first.tables, 1)
    assert (bytes(file["content"]), file["size_bytes"]) == (b"hello", 5)
    assert idea["system_id"] == id_of("systems", f"s{mark}")
    told = stored(
        "SELECT entity_type, action, user_id FROM documentation.documentation_audit_log WHERE entity_id = ANY (%s)",
        [str(file["id"]), str(idea["id"])],
    )
    assert sorted(told, key=str) == [
        {"entity_type": kind, "action": "created", "user_id": "import lowdb"} for kind in ("files", "ideas")
    ]


@pytest.mark.parametrize("told", ["../secret", "/etc/passwd", "a/../../secret", "link", "x" * 5000])
def test_no_file_outside_the_uploads_is_read(tmp_path, told):
    (tmp_path / "secret").write_text("x")
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    (uploads / "link").symlink_to(tmp_path / "secret")

    with pytest.raises(Refused):
        lowdb_load.upload(uploads, told)


def test_an_upload_is_found_under_its_last_name_too(tmp_path):
    (tmp_path / "1-a.txt").write_text("x")

    assert lowdb_load.upload(tmp_path, "/app/uploads/1-a.txt") == lowdb_load.upload(tmp_path, "1-a.txt") == b"x"
