"""The proof: whatever is altered behind the tiers' backs is found, named and mended, and nothing good is destroyed."""

import datetime as dt
import shutil

import msgspec
import pytest

from sql import evidence, mending, receipts
from sql.archive import archive_table
from sql.buckets import start_of
from sql.errors import AlteredError
from sql.evidence import Tiers
from sql.sync import sync_table
from sql.verify import verify
from tests.tape import DAY, NOON, SECOND, change, hot_rows, put, ticks, warm_rows

MINUTE = 60 * SECOND
ONE_DAY = dt.timedelta(days=1)
NEXT = DAY + ONE_DAY
LATER = DAY + 30 * ONE_DAY  # a "today" on which all days of these tests are over


@pytest.fixture
def tiers(hot, warm, cold, tmp_path):
    return Tiers(hot, warm, cold, tmp_path)


@pytest.fixture
def archived(hot, warm, cold, table):
    """Two UTC days in all tiers: 300 rows and 20."""
    put(hot, table, ticks(300, every=MINUTE))
    put(hot, table, ticks(20, since=NOON + ONE_DAY, first_id=1000))
    sync_table(table, hot, warm)
    archive_table(table, warm, cold)
    return table


@pytest.fixture
def prove(archived, tiers):
    def call(**options):
        return verify([archived], tiers, **{"today": LATER, **options})

    return call


@pytest.fixture
def retained(archived, hot, warm, prove):
    """Retention took the first day from hot, after it was proven or before."""

    def call(*, proven):
        if proven:
            assert prove().holds
        with warm.connect() as connection:
            statement = "UPDATE sync_control SET hot_from = %s WHERE stream = %s"
            connection.execute(statement, (start_of(NEXT), archived.name))
        change(hot, archived, f"ALTER TABLE {archived.name} DROP PARTITION LIST '{DAY}'")
        sync_table(archived, hot, warm)

    return call


def altered(warm, table, statement):
    with warm.connect() as connection:
        connection.execute(statement.format(table.name))


def said(verdict):
    return [(d.tier, d.day, d.symbol, d.count, d.kind) for d in verdict.differences]


def kept(warm, table, tier, day=DAY):
    with warm.connect() as connection:
        return receipts.stored(connection.cursor(), table, tier, day)


def test_tiers_that_agree_are_proven_with_one_digest(prove):
    verdict = prove(strict=True)

    assert verdict.holds
    assert [(d.day, d.sealed, d.proven, d.unproven) for d in verdict.days] == [
        (DAY, True, True, ""),
        (NEXT, True, True, ""),
    ]
    assert verdict.days[0].hot == verdict.days[0].warm == verdict.days[0].cold
    assert verdict.days[0].hot.rows == 300


def test_what_was_proven_has_receipts_in_every_tier(prove, warm, archived):
    prove()

    assert len({kept(warm, archived, tier).digest for tier in ("hot", "warm", "cold")}) == 1


DELETED = "DELETE FROM {} WHERE trade_id = 5"
CHANGED = "UPDATE {} SET price = price + 0.00001 WHERE trade_id = 5"  # finer than what the sync compares
EXTRA = (
    "INSERT INTO {0} SELECT ts, symbol, session, 9999, price, quantity, aggressor, buyer, seller, flags, received_at, "
    "source FROM {0} WHERE trade_id = 5"
)


@pytest.mark.parametrize(("tampering", "word"), [(DELETED, "1 missing"), (CHANGED, "1 changed"), (EXTRA, "1 extra")])
def test_an_altered_row_of_warm_is_named_and_mended_from_hot(prove, hot, warm, archived, tampering, word):
    altered(warm, archived, tampering)
    found = prove()
    mended = prove(repair=True)

    assert not found.holds
    assert ("warm", DAY, "WDOZ26", 1, "rows") in said(found)
    assert word in found.differences[0].reason
    assert found.differences[0].remedy == f"tradingsystem verify {archived.name} --day {DAY} --repair"
    assert mended.holds
    assert prove(strict=True).holds
    assert warm_rows(warm, archived).equals(hot_rows(hot, archived), null_equal=True)


@pytest.mark.parametrize("proven", [True, False])
@pytest.mark.parametrize("tampering", [DELETED, CHANGED, EXTRA, "DELETE FROM {} WHERE ts < '2026-11-19Z'"])
def test_below_the_floor_of_hot_warm_is_mended_from_the_file(prove, warm, archived, retained, tampering, proven):
    retained(proven=proven)
    before = warm_rows(warm, archived)
    altered(warm, archived, tampering)
    found = prove()
    mended = prove(repair=True)

    assert {d.tier for d in found.differences} == {"warm"}
    assert mended.holds
    assert warm_rows(warm, archived).equals(before, null_equal=True)


def test_below_the_floor_a_day_is_proven_by_the_receipt_that_hot_left(prove, retained):
    retained(proven=True)

    assert prove(strict=True).holds


def test_below_the_floor_a_day_that_was_never_proven_fails_only_strictly(prove, retained):
    retained(proven=False)
    strict = prove(strict=True)

    assert prove().holds
    assert not strict.holds
    assert "never proven" in strict.days[0].unproven


def test_a_removed_file_is_named_and_written_again(prove, cold, archived):
    cold.remove(archived, DAY)
    found = prove()

    assert said(found) == [("cold", DAY, "*", 300, "file")]
    assert prove(repair=True).holds
    assert cold.days(archived) == [DAY, NEXT]


def test_any_flipped_byte_of_a_file_is_found(prove, cold, archived):
    path = cold.path(archived, NEXT)
    good = path.read_bytes()
    for place in range(0, len(good), max(1, len(good) // 12)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        found = prove(day=NEXT)

        assert [line[:2] for line in said(found)] == [("cold", NEXT)], place
    assert prove(repair=True).holds
    assert prove(strict=True).holds


@pytest.mark.parametrize("damage", [lambda b: b[:-100], lambda b: b"", lambda b: b[:4] + bytes(len(b) - 4)])
def test_a_torn_file_is_named_and_written_again(prove, cold, archived, damage):
    path = cold.path(archived, DAY)
    path.write_bytes(damage(path.read_bytes()))
    found = prove()

    assert said(found) == [("cold", DAY, "*", 300, "file")]
    assert str(path) in found.differences[0].reason
    assert prove(repair=True).holds


@pytest.mark.parametrize("name", ["extra.parquet", "note.txt"])
def test_an_orphan_beside_a_file_is_set_aside_and_not_destroyed(prove, cold, archived, name):
    orphan = cold.path(archived, DAY).with_name(name)
    orphan.write_bytes(b"whose?")

    assert [line[:2] for line in said(prove())] == [("cold", DAY)]
    assert prove(repair=True).holds
    assert [path.read_bytes() for path in (cold.root / "orphans").rglob(f"*{name}")] == [b"whose?"]


def test_a_file_of_a_day_that_nobody_knows_is_set_aside(prove, cold, archived):
    stray = cold.path(archived, DAY - 5 * ONE_DAY)
    stray.parent.mkdir()
    shutil.copy(cold.path(archived, DAY), stray)

    assert said(prove()) == [("cold", DAY - 5 * ONE_DAY, "*", 300, "orphan")]
    assert prove(repair=True).holds
    assert len(list((cold.root / "orphans").rglob("*.parquet"))) == 1


def test_a_row_of_hot_that_changed_is_lag_that_the_sync_mends(prove, hot, warm, cold, archived):
    assert prove().holds
    change(hot, archived, f"UPDATE {archived.name} SET quantity = 77 WHERE trade_id = 5")
    found = prove()

    assert said(found) == [("warm", DAY, "WDOZ26", 1, "lag")]
    assert found.differences[0].remedy == f"tradingsystem sync {archived.name}"

    sync_table(archived, hot, warm)
    after = prove()

    assert said(after) == [("cold", DAY, "WDOZ26", 1, "lag")]
    assert after.differences[0].remedy == f"tradingsystem archive {archived.name}"

    archive_table(archived, warm, cold)

    assert prove(strict=True).holds


def test_repair_of_lag_takes_one_call(prove, hot, archived):
    change(hot, archived, f"UPDATE {archived.name} SET quantity = 77 WHERE trade_id = 5")

    assert prove(repair=True).holds
    assert prove(strict=True).holds


TAMPERINGS = [
    (tier, tampering)
    for tier in ("hot", "warm", "cold")
    for tampering in ("rows = rows + 1", "digest = repeat('0', 64)", "sums = replace(sums, '1', '2')")
]


PROVEN = [*TAMPERINGS, ("cold", "file_sha256 = repeat('0', 64)")]
UNPROVEN = [pair for pair in PROVEN if pair[0] != "hot"]  # before a proof hot has no receipt


@pytest.mark.parametrize(
    ("tier", "tampering", "proven"), [(*pair, True) for pair in PROVEN] + [(*pair, False) for pair in UNPROVEN]
)
def test_a_tampered_receipt_is_found_and_written_again(prove, warm, archived, tampering, tier, proven):
    if proven:
        prove()
    with warm.connect() as connection:
        statement = f"UPDATE receipts SET {tampering} WHERE table_name = %s AND tier = %s AND day = %s"
        connection.execute(statement, (archived.name, tier, DAY))
    found = prove()

    assert [line[:2] for line in said(found)] == [(tier, DAY)]
    assert prove(repair=True).holds
    assert prove(strict=True).holds


def test_a_receipt_that_was_deleted_is_found_and_written_again(prove, warm, archived):
    altered(warm, archived, f"DELETE FROM receipts WHERE table_name = '{{}}' AND tier = 'warm' AND day = '{DAY}'")

    assert said(prove()) == [("warm", DAY, "*", 300, "receipt")]
    assert prove(repair=True).holds


def test_rows_on_a_day_that_no_other_tier_knows_are_found(prove, warm, archived):
    day = DAY + 9 * ONE_DAY
    with warm.connect() as connection:
        connection.execute("SELECT ensure_partitions(%s, %s, %s)", (archived.name, day, day))
    altered(warm, archived, EXTRA.replace("SELECT ts", f"SELECT ts + interval '{(day - DAY).days} days'"))
    found = prove()

    assert said(found) == [("warm", day, "WDOZ26", 1, "rows")]
    assert prove(repair=True).holds


def test_the_open_day_is_lag_and_no_failure(prove, hot, archived):
    put(hot, archived, ticks(3, since=NOON + ONE_DAY + SECOND * 1000, first_id=5000))
    verdict = prove(today=NEXT, strict=True)

    assert verdict.holds
    assert [(d.day, d.sealed, d.lag_rows) for d in verdict.days] == [(DAY, True, 0), (NEXT, False, 3)]


def test_hot_that_lost_proven_rows_without_a_transaction_takes_none_from_warm(prove, hot, warm, archived, monkeypatch):
    assert prove().holds
    before = warm_rows(warm, archived)
    change(hot, archived, f"ALTER TABLE {archived.name} DROP PARTITION LIST '{DAY}'")
    for module in (evidence, mending):  # as if no transaction told of it
        monkeypatch.setattr(module, "in_step", lambda *_: True)
    found = prove(repair=True)

    assert [line[0] for line in said(found)] == ["hot"] * 3
    assert sum(line[3] for line in said(found)) == 300
    assert warm_rows(warm, archived).equals(before, null_equal=True)


def test_where_nothing_testifies_nothing_is_mended(prove, warm, cold, archived, retained):
    retained(proven=False)
    altered(warm, archived, DELETED)
    path = cold.path(archived, DAY)
    path.write_bytes(path.read_bytes()[:-1])
    torn, before = path.read_bytes(), warm_rows(warm, archived)
    found = prove(repair=True)

    assert {d.tier for d in found.differences} == {"warm", "cold"}
    assert "backup" in found.differences[0].remedy
    assert (path.read_bytes(), warm_rows(warm, archived).equals(before, null_equal=True)) == (torn, True)


def test_a_day_that_retention_took_from_warm_keeps_its_file(prove, warm, cold, archived, retained):
    retained(proven=True)
    altered(warm, archived, "DELETE FROM {} WHERE ts < '2026-11-19Z'")
    altered(warm, archived, f"DELETE FROM receipts WHERE table_name = '{{}}' AND tier = 'warm' AND day = '{DAY}'")
    archive_table(archived, warm, cold)
    verdict = prove(repair=True)

    assert verdict.holds
    assert (verdict.days[0].warm.rows, verdict.days[0].cold.rows) == (0, 300)


def test_a_tampered_receipt_of_hot_costs_no_file(prove, warm, cold, archived, retained):
    retained(proven=True)
    altered(warm, archived, "DELETE FROM {} WHERE ts < '2026-11-19Z'")
    altered(warm, archived, f"DELETE FROM receipts WHERE table_name = '{{}}' AND tier = 'warm' AND day = '{DAY}'")
    altered(warm, archived, "UPDATE receipts SET digest = 'x' WHERE table_name = '{}' AND tier = 'hot'")

    assert [line[0] for line in said(prove(day=DAY))] == ["hot"]
    assert prove(repair=True).holds
    assert cold.days(archived) == [DAY, NEXT]


def test_the_archive_writes_no_altered_rows_over_a_good_file(hot, warm, cold, archived):
    before = cold.path(archived, DAY).read_bytes()
    with warm.connect() as connection:
        receipts.touch(connection.cursor(), archived, {DAY: 0})
    altered(warm, archived, DELETED)

    with pytest.raises(AlteredError, match="299 rows, receipt 300"):
        archive_table(archived, warm, cold)
    assert cold.path(archived, DAY).read_bytes() == before


def test_the_answer_is_plain_json(prove):
    answer = msgspec.json.decode(msgspec.json.encode(prove()))

    assert answer["holds"] is True
    assert answer["days"][0]["warm"]["rows"] == 300
