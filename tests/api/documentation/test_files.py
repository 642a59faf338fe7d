"""`/api/v1/files`, row by row of its contract; what is in is what comes out."""

import hashlib
import random
import uuid

import psycopg
import pytest

from api.documentation.kinds import KINDS, MAX_FILE_BYTES, disposition, media_type_of, name_in, stored_name
from sql.documentation.files import PART_BYTES

FIELDS = {
    "id", "filename", "original_name", "mime_type", "size_bytes", "file_path", "description", "idea_id", "system_id",
    "uploaded_by", "is_public", "download_count", "checksum", "created_at", "updated_at",
}  # fmt: skip


def parts_in(database):
    return database.execute("SELECT count(*) FROM documentation.documentation_upload_parts").fetchone()[0]


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, 3 * PART_BYTES + 17, MAX_FILE_BYTES])
def test_what_is_uploaded_is_downloaded(http, database, size):
    """POST /api/v1/files/upload; GET /api/v1/files/{id}/download"""
    content = random.Random(size).randbytes(size)
    name = "relatório 2026 – final.pdf"
    sent = {"file": (name, content, "application/pdf")}
    form = {"description": " of the day ", "is_public": "true"}
    answer = http.post("/api/v1/files/upload", files=sent, data=form, headers={"x-user-id": "ana"})
    file = answer.json()["data"]
    got = http.get(f"/api/v1/files/{file['id']}/download")

    assert answer.status_code == 201
    assert parts_in(database) == 0
    assert set(file) == FIELDS
    assert (file["original_name"], file["mime_type"], file["size_bytes"]) == (name, "application/pdf", size)
    assert (file["description"], file["is_public"], file["uploaded_by"]) == ("of the day", True, "ana")
    assert file["checksum"] == hashlib.sha256(content).hexdigest()
    assert got.content == content
    assert (got.headers["content-type"], got.headers["cache-control"]) == ("application/pdf", "no-cache")
    assert got.headers["content-disposition"].startswith("attachment; filename=")
    assert "relat%C3%B3rio" in got.headers["content-disposition"]
    assert http.get(f"/api/v1/files/{file['id']}").json()["data"]["download_count"] == 1


def test_a_part_of_a_file(http, uploaded):
    file = uploaded(content=b"0123456789")
    path = f"/api/v1/files/{file['id']}/download"
    part = http.get(path, headers={"range": "bytes=3-5"})
    head = http.head(path)

    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"345", "bytes 3-5/10")
    assert (head.headers["content-length"], head.content) == ("10", b"")
    assert http.get(path, headers={"range": "bytes=10-"}).status_code == 416
    assert http.get(f"/api/v1/files/{file['id']}").json()["data"]["download_count"] == 0


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"file": ("run.exe", b"x")}, "found 'exe'"),
        ({"file": ("noextension", b"x")}, "no extension"),
        ({"file": ("page.png", b"x", "text/html")}, "expected image/png"),
        ({"file": ("x.txt", bytes(MAX_FILE_BYTES + 1))}, "10 MB"),
        ({"other": ("x.txt", b"x")}, "file"),
    ],
)
def test_what_is_not_taken_is_400(http, sent, words):
    answer = http.post("/api/v1/files/upload", files=sent)

    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_nothing_stays_of_a_file_without_its_idea(http, uploaded, database, empty):
    answer = http.post("/api/v1/files/upload", files={"file": ("x.txt", b"x")}, data={"idea_id": str(uuid.uuid4())})

    assert (answer.status_code, "idea not found" in answer.json()["error"]) == (404, True)
    assert parts_in(database) == 0
    assert http.get("/api/v1/files").json()["count"] == 0


def test_several_files(http):
    """POST /api/v1/files/upload-multiple"""

    def post(*names):
        return http.post("/api/v1/files/upload-multiple", files=[("files", (name, b"x")) for name in names])

    good, some, none = post("a.txt", "b.md"), post("a.txt", "b.exe"), post("b.exe")

    assert (good.status_code, len(good.json()["data"])) == (201, 2)
    assert (some.status_code, some.json()["errors"][0]["filename"]) == (207, "b.exe")
    assert (none.status_code, none.json()["details"][0]["field"]) == (400, "b.exe")
    assert post(*[f"{number}.txt" for number in range(6)]).status_code == 400


def test_get_files(http, made, uploaded, empty):
    """GET /api/v1/files"""
    system = made("systems")["id"]
    sizes = {f"{size}.txt": size for size in (1, 20, 300)}
    for name, size in sizes.items():
        uploaded(name, b"x" * size, system_id=system, description="minutes of the meeting")
    uploaded("z.csv")
    asked = {"system_id": system, "mime_type": "text/plain", "uploaded_by": "anonymous", "is_public": "false",
             "search": "meetings", "min_size": 2, "max_size": 300, "created_from": "2020-01-01",
             "created_to": "2100-01-01T00:00:00Z", "order_by": "size", "order_direction": "ASC"}  # fmt: skip
    body = http.get("/api/v1/files", params=asked).json()
    page = http.get("/api/v1/files", params={"limit": 1, "offset": 3, "order_direction": "ASC"}).json()

    assert [file["original_name"] for file in body["data"]] == ["20.txt", "300.txt"]
    assert body["pagination"] == {"total": 2, "limit": 50, "offset": 0}
    assert [file["original_name"] for file in page["data"]] == ["z.csv"]
    assert page["pagination"] == {"total": 4, "limit": 1, "offset": 3}
    assert http.get("/api/v1/files?limit=101").status_code == 400
    assert http.get("/api/v1/files?created_from=soon").status_code == 400


def test_one_file(http, made, uploaded):
    """GET, PUT, DELETE /api/v1/files/{id}"""
    path = f"/api/v1/files/{uploaded()['id']}"
    idea = made("ideas")["id"]
    changed = http.put(path, json={"description": "new", "is_public": True, "idea_id": idea, "size_bytes": 3}).json()

    assert (changed["data"]["description"], changed["data"]["is_public"]) == ("new", True)
    assert (changed["data"]["idea_id"], changed["data"]["size_bytes"]) == (idea, 5)
    assert http.put(path, json={"description": "d" * 501}).status_code == 400
    assert http.put(path, json={"idea_id": str(uuid.uuid4())}).status_code == 404
    assert http.delete(path).json()["success"] is True
    assert http.get(path).status_code == http.get(f"{path}/download").status_code == 404


def test_files_of_one_thing(http, made, uploaded):
    """GET /api/v1/files/idea/{ideaId}, /system/{systemId}"""
    idea, system = made("ideas")["id"], made("systems")["id"]
    names = [uploaded(name, idea_id=idea, system_id=system)["original_name"] for name in ("1.txt", "2.txt")]

    for path in (f"/api/v1/files/idea/{idea}", f"/api/v1/files/system/{system}"):
        body = http.get(path).json()
        assert ([file["original_name"] for file in body["data"]], body["count"]) == (names, 2)
    assert http.get(f"/api/v1/files/idea/{uuid.uuid4()}").status_code == 404


def test_search_and_statistics(http, uploaded, empty):
    """GET /api/v1/files/search?q=, /statistics, /upload-info"""
    file = uploaded("relatorio_2026.csv", b"a,b\n", is_public="true")
    uploaded("other.txt", bytes(2 << 20))
    http.get(f"/api/v1/files/{file['id']}/download")
    found = http.get("/api/v1/files/search", params={"q": "relatório"}).json()
    data = http.get("/api/v1/files/statistics").json()["data"]
    info = http.get("/api/v1/files/upload-info").json()["data"]

    assert (found["count"], found["data"][0]["id"]) == (1, file["id"])
    assert http.get("/api/v1/files/search?q=a").status_code == 400
    assert (data["total"], data["total_size"], data["total_downloads"]) == (2, (2 << 20) + 4, 1)
    assert data["by_mime_type"] == {"text/csv": 1, "text/plain": 1}
    assert data["by_uploader"] == {"anonymous": 2}
    assert data["by_visibility"] == {"public": {"count": 1, "size": 4}, "private": {"count": 1, "size": 2 << 20}}
    assert data["size_distribution"] == {"small": 1, "medium": 1, "large": 0, "xlarge": 0}
    assert (info["max_file_size"], info["max_files_per_request"]) == (MAX_FILE_BYTES, 5)
    assert info["allowed_extensions"] == [f".{extension}" for extension in KINDS]


def test_names_are_made_harmless():
    assert name_in("..\\..\\etc/pass\r\nwd.txt") == "passwd.txt"
    assert name_in("relato\u0301rio.txt") == "relatório.txt"
    assert len(name_in("n" * 300 + ".txt")) == 255
    assert name_in("n" * 300 + ".txt").endswith(".txt")
    assert "\n" not in disposition('a"\n.txt')
    assert media_type_of("a.MD", "application/octet-stream") == "text/markdown"
    with pytest.raises(ValueError, match="file name"):
        name_in("../..")


def test_stored_names_differ(engines):
    import datetime as dt

    now = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)
    names = {stored_name("é/..x.txt", now) for _ in range(100)}

    assert len(names) == 100
    assert all(name.startswith("1795824000000-") and name.endswith("x.txt") for name in names)


def test_the_service_cannot_change_its_trail_or_see_the_workspace(engines):
    with psycopg.connect(engines.postgres.dsn("app_documentation", "frontend_apps"), autocommit=True) as connection:
        for statement in (
            "UPDATE documentation.documentation_audit_log SET user_id = 'eve'",
            "DELETE FROM documentation.documentation_audit_log",
            "SELECT * FROM workspace.workspace_items",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
