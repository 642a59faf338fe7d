"""What becomes of LowDB's records: the mapping row by row, and files on a real database."""

import datetime as dt
import json
import uuid

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.rows import dict_row

from sql import lowdb, lowdb_load
from sql.workspace import id_of

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
MADE = "2025-10-17T09:30:00.000Z"
IDEA = {
    "id": "12",
    "title": "Volume profile",
    "description": "Of the opening.",
    "category": "analise-dados",
    "priority": "high",
    "status": "review",
    "tags": ["win"],
    "createdAt": MADE,
    "updatedAt": None,
}


def only(record):
    found = lowdb.workspace_items({"items": [record]}, NOW)
    return (found.rows or [None])[0], [note.message for note in found.warnings + found.refusals]


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        ({"category": "ideas"}, "category", "documentacao"),
        ({"category": None}, "category", "documentacao"),
        ({"category": "Coleta_Dados"}, "category", "coleta-dados"),
        ({"priority": "urgent"}, "priority", "medium"),
        ({"status": "in_progress"}, "status", "in-progress"),
        ({"status": "done"}, "status", "new"),
        ({"createdAt": "yesterday"}, "created_at", NOW),
        ({"updatedAt": "never"}, "updated_at", dt.datetime(2025, 10, 17, 9, 30, tzinfo=dt.UTC)),
        ({"tags": "not, a list"}, "tags", ["not, a list"]),
        ({"tags": {"a": 1}}, "tags", []),
        ({"tags": ["a", 2, None, "a"]}, "tags", ["a", "2"]),
        ({"metadata": [1]}, "metadata", {"legacyId": "12"}),
        ({"createdBy": "x" * 101}, "created_by", "x" * 100),
    ],
)
def test_a_value_that_is_replaced_is_told(given, name, expected):
    row, told = only(IDEA | given)

    assert getattr(row, name) == expected
    assert len(told) == (0 if given.get("tags") == "not, a list" else 1)


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        ({}, "id", id_of("12")),
        ({"id": 12}, "id", id_of("12")),
        ({"id": "b2f1f6a2-7f0a-4e53-9a57-5b6f6a7c1d10"}, "id", uuid.UUID("b2f1f6a2-7f0a-4e53-9a57-5b6f6a7c1d10")),
        ({"id": "b2f1f6a2-7f0a-4e53-9a57-5b6f6a7c1d10"}, "metadata", {}),
        ({"metadata": {"a": 1}}, "metadata", {"a": 1, "legacyId": "12"}),
        ({"description": "  "}, "description", None),
        ({}, "created_at", dt.datetime(2025, 10, 17, 9, 30, tzinfo=dt.UTC)),
        ({}, "updated_at", dt.datetime(2025, 10, 17, 9, 30, tzinfo=dt.UTC)),
        ({"updated_at": "2025-11-01T00:00:00-03:00"}, "updated_at", dt.datetime(2025, 11, 1, 3, tzinfo=dt.UTC)),
        ({"createdBy": "ana"}, "created_by", "ana"),
        ({"tags": '["a", "b"]'}, "tags", ["a", "b"]),
    ],
)
def test_a_record_is_kept_as_it_is(given, name, expected):
    row, told = only(IDEA | given)

    assert getattr(row, name) == expected
    assert told == []


@pytest.mark.parametrize(
    "given", [{"title": None}, {"title": " "}, {"title": "x" * 256}, {"description": ["x"]}, "text"]
)
def test_a_record_that_cannot_be_kept_is_refused(given):
    row, told = only(given if isinstance(given, str) else IDEA | given)

    assert row is None
    assert len(told) == 1


@pytest.mark.parametrize("name", ["title", "tags", "metadata"])
def test_a_nul_is_refused(name):
    value = {"title": "a\0", "tags": ["a\0"], "metadata": {"a": [{"b\0": 1}]}}[name]

    assert only(IDEA | {name: value}) == (None, [f"{name}: holds a NUL, which PostgreSQL cannot"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*IDEA, "metadata"]), inner),
    max_leaves=8,
)


@given(st.lists(JSON))
def test_every_record_is_counted_once_and_none_raises(records):
    found = lowdb.workspace_items(records, NOW)

    assert len(found.rows) + len(found.duplicates) + len(found.refusals) == len(records)
    assert len({row.id for row in found.rows}) == len(found.rows)


@pytest.mark.parametrize("root", ["text", 1, None, {}, {"things": []}, {"items": {}}])
def test_a_file_that_is_none_of_lowdbs_is_named(root):
    with pytest.raises(lowdb.LowDbError, match=r"x\.json: expected"):
        lowdb.kind_of(root, "x.json")


@pytest.mark.parametrize(
    ("root", "kind"),
    [
        ([], "workspace"),
        ({"items": []}, "workspace"),
        ({"ideas": []}, "workspace"),
        ({"ideas": [], "systems": [], "nextId": 1}, "documentation"),
    ],
)
def test_a_file_says_whose_it_is(root, kind):
    assert lowdb.kind_of(root, "x.json") == kind


@pytest.fixture
def bring(engines, tmp_path):
    """Imports a root as a file; its ids are of this call alone."""
    postgres = engines.postgres
    dsns = {kind: postgres.dsn(f"app_{kind}", "frontend_apps") for kind in ("workspace", "documentation")}

    def run(root, **options):
        path = tmp_path / "library.json"
        path.write_text(json.dumps(root), encoding="utf-8")
        return lowdb_load.import_file(path, dsns, **options)

    return run


@pytest.fixture
def stored(engines):
    with psycopg.connect(
        engines.postgres.admin_dsn("frontend_apps"), row_factory=dict_row, autocommit=True
    ) as connection:
        yield lambda statement, *params: connection.execute(statement, params).fetchall()


def counts(report, table="workspace_items"):
    found = report.tables[table]
    return (found.migrated, found.skipped, found.duplicates, found.errors, found.total)


def test_a_file_comes_in_once_whatever_became_of_its_items(bring, stored):
    names = [f"old-{uuid.uuid4()}" for _ in range(3)]
    root = {"items": [*(IDEA | {"id": name} for name in names), IDEA | {"id": names[0]}]}
    first, ids = bring(root), [id_of(name) for name in names]
    stored("UPDATE workspace.workspace_items SET title = 'Edited' WHERE id = %s RETURNING id", ids[1])
    stored("DELETE FROM workspace.workspace_items WHERE id = %s RETURNING id", ids[2])
    again = bring(root)
    rows = stored("SELECT * FROM workspace.workspace_items WHERE id = ANY (%s) ORDER BY title", ids)

    assert (counts(first), counts(again)) == ((3, 0, 1, 0, 4), (0, 3, 1, 0, 4))
    assert [(row["id"], row["title"]) for row in rows] == [(ids[1], "Edited"), (ids[0], "Volume profile")]
    assert (rows[1]["tags"], rows[1]["metadata"], rows[1]["status"]) == (["win"], {"legacyId": names[0]}, "review")
    assert rows[1]["created_at"] == rows[1]["updated_at"] == dt.datetime(2025, 10, 17, 9, 30, tzinfo=dt.UTC)
    told = stored("SELECT action, created_by FROM workspace.workspace_audit_log WHERE item_id = %s", ids[0])
    assert told == [{"action": "created", "created_by": "import lowdb"}]


def test_a_rehearsal_tells_the_same_and_writes_nothing(bring, stored):
    name = f"old-{uuid.uuid4()}"
    rehearsed = bring([IDEA | {"id": name}], rehearse=True)

    assert (counts(rehearsed), rehearsed.written) == ((1, 0, 0, 0, 1), False)
    assert stored("SELECT FROM workspace.workspace_items WHERE id = %s", id_of(name)) == []
    assert counts(bring([IDEA | {"id": name}])) == (1, 0, 0, 0, 1)


def test_a_refused_record_stops_its_file_unless_it_may_be_left_out(bring):
    root = {"ideas": [IDEA | {"id": f"old-{uuid.uuid4()}"}, {"id": "7"}]}
    strict, lenient = bring(root), bring(root, lenient=True)

    assert (counts(strict), strict.written) == ((0, 0, 0, 1, 2), False)
    assert (counts(lenient), lenient.written) == ((1, 0, 0, 1, 2), True)
    assert [note.record for note in strict.refusals] == ["7"]


def test_a_file_that_is_not_there_holds_nothing(tmp_path):
    assert lowdb_load.import_file(tmp_path / "none.json", {}).tables == {}
