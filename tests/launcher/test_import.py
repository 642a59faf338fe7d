"""`tradingsystem import b3` and `bench`, as an operator calls them."""

import json
import random

import pytest

from tests.sql.b3_made import line, text, zipped


def test_import_answers_one_json_object_and_says_what_was_refused(tradingsystem, tmp_path):
    symbol = f"C{random.randrange(10**9)}"
    member = f"14-07-2026_NEGOCIOSAVISTA_{symbol}.txt"  # of this instrument alone: other tests have the same session
    good = zipped(tmp_path / "good.zip", text(line(symbol, 10), line(symbol, 20)), member)
    mixed = zipped(tmp_path / "mixed.zip", text(line(symbol, 30), "garbage"), member)
    first = tradingsystem("import", "b3", good, "--json")
    second = tradingsystem("import", "b3", good, mixed, tmp_path, "--json")
    answer = json.loads(second.stdout)

    assert (first.returncode, second.returncode) == (0, 1), second.stderr
    assert json.loads(first.stdout)["new"] == 2
    assert (answer["new"], answer["repeated"], answer["refused"]) == (1, 2, 1)
    assert "found a directory" in answer["files"][2]["error"]
    assert "line 3: expected 11 columns, found 1" in second.stderr


def test_import_lowdb_tells_what_came_of_each_file(tradingsystem, tmp_path):
    good, bad = tmp_path / "library.json", tmp_path / "notes.json"
    record = {"id": random.randrange(10**9), "title": "Opening", "priority": "urgent"}
    good.write_text(json.dumps({"items": [record]}), encoding="utf-8")
    bad.write_text("{}", encoding="utf-8")
    first = tradingsystem("import", "lowdb", good, "--json")
    second = tradingsystem("import", "lowdb", good, bad, tmp_path / "none.json", "--json")
    answer = json.loads(second.stdout)

    assert (first.returncode, second.returncode) == (0, 1), second.stderr
    assert (json.loads(first.stdout)["migrated"], answer["migrated"], answer["skipped"]) == (1, 0, 1)
    assert "found an object of nothing" in answer["refused"][0]["error"]
    assert "priority 'urgent' is not known: 'medium'" in first.stderr
    assert "none.json: is not there" in second.stderr
    assert tradingsystem("import", "lowdb").returncode == 2


@pytest.mark.parametrize("arguments", [[], ["--day", "2026-07-14", "a.zip"], ["--fetch"], ["a.zip", "--nonsense"]])
def test_wrong_usage_ends_with_two(tradingsystem, arguments):
    assert tradingsystem("import", "b3", *arguments).returncode == 2


def test_bench_knows_its_benchmarks(tradingsystem):
    answer = tradingsystem("bench", "nothing")
    told = answer.stderr.rpartition("there are: ")[2].strip().split(", ")

    assert answer.returncode == 2
    assert {"capture", "dagster", "faults", "growth", "import", "latency", "replay", "stream", "sync"} <= set(told)
    assert told == sorted(told)


@pytest.mark.timeout(300)
def test_bench_import_measures_a_small_day(tradingsystem):
    answer = tradingsystem("bench", "import", "--json", "--rounds", 1, "--rows", 20_000, seconds=280)
    found = json.loads(answer.stdout)

    assert set(found["aims"]) == {"import_vs_read_parquet", "memory_5m_vs_1m"}
    assert found["figures"]["rows"] == 20_000
    assert answer.returncode == (0 if all(aim["holds"] for aim in found["aims"].values()) else 1)


@pytest.mark.timeout(300)
def test_bench_api_measures_every_endpoint_of_every_server(tradingsystem):
    answer = tradingsystem("bench", "api", "--json", "--rounds", 1, "--seconds", 0.1, "--no-express", seconds=280)
    found = json.loads(answer.stdout)
    endpoints = ("list", "get", "create", "signals", "ticks")

    assert set(found["aims"]) == {f"{name}_vs_fastapi" for name in endpoints}
    assert all(found["figures"][f"{name}_bare_per_second"] > 0 for name in endpoints)
    assert answer.returncode == (0 if all(aim["holds"] for aim in found["aims"].values()) else 1)
