"""GET /api/prds/{language}"""


def test_get_prds(http, workspace_settings):
    folder = workspace_settings.papers_dir / "pt"
    folder.mkdir()
    (folder / "tape-reading.md").write_text("# Leitura", encoding="utf-8")
    (folder / "notes.txt").write_text("no paper", encoding="utf-8")
    body = http.get("/api/prds/pt").json()

    assert (body["success"], body["language"], body["count"]) == (True, "pt", 1)
    paper = body["data"][0]
    assert set(paper) == {"id", "fileName", "name", "size", "modifiedAt", "path"}
    assert (paper["fileName"], paper["name"], paper["size"], paper["path"]) == (
        "tape-reading.md",
        "tape reading",
        9,
        "pt/tape-reading.md",
    )


def test_another_language_and_a_missing_folder_are_told_apart(http):
    answers = [http.get("/api/prds/de"), http.get("/api/prds/en")]

    assert [answer.status_code for answer in answers] == [400, 404]
    assert answers[0].json()["errors"][0]["field"] == "language"
    assert http.get("/api/prds/..%2F..").status_code in (400, 404)
