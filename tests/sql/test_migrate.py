"""Migrations: once, by whoever comes first, and nothing that was applied may change."""

import threading

import msgspec
import psycopg
import pytest

from launcher import engines as embedded
from launcher.report import Silent
from sql import migrate as migrating
from sql import stores
from sql.errors import DriftError, StoreError
from sql.migrate import DATABASES, Migration, check, migrate, migrations, pending
from sql.tables import MOVING, TABLES


@pytest.fixture(scope="module")
def fresh(settings_in, tmp_path_factory):
    """Engines that nobody migrated."""
    with embedded.running(settings_in(tmp_path_factory.mktemp("fresh")), Silent()) as settings:
        yield settings


@pytest.fixture
def cluster(engines):
    return stores.cluster(engines)


def as_role(settings, role, database):
    return psycopg.connect(settings.postgres.dsn(role, database), autocommit=True, connect_timeout=30)


def test_a_fresh_cluster_is_migrated_once_by_two_at_once(fresh):
    hot, cluster = stores.hot(fresh), stores.cluster(fresh)
    expected = pending(hot, cluster)
    done, failed = [], []

    def run():
        try:
            done.append(migrate(hot, cluster))
        except Exception as error:
            failed.append(error)

    both = [threading.Thread(target=run) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join(90)
    first, second = sorted(done, key=len, reverse=True)

    assert failed == []
    assert second == []
    assert set(expected) <= set(first)
    assert {f"warm/{table.name}" for table in TABLES.values() if not table.direct} | {
        f"hot/{table.name}" for table in MOVING
    } <= set(first)
    assert pending(hot, cluster) == []
    assert migrate(hot, cluster) == []
    hot.close()


def test_pending_names_exactly_what_is_missing(hot, cluster, engines):
    with psycopg.connect(engines.postgres.admin_dsn("frontend_apps"), autocommit=True) as connection:
        row = connection.execute("SELECT version, name, sha256 FROM schema_migrations ORDER BY version").fetchone()
        connection.execute("DELETE FROM schema_migrations WHERE version = %s", row[:1])
        try:
            missing = pending(hot, cluster)
        finally:
            connection.execute("INSERT INTO schema_migrations (version, name, sha256) VALUES (%s, %s, %s)", row)

    assert missing == [row[1]]
    assert pending(hot, cluster) == []


def test_a_migration_that_was_changed_after_it_was_applied_is_refused(hot, cluster, engines):
    with psycopg.connect(engines.postgres.admin_dsn("tradingsystem"), autocommit=True) as connection:
        ((sha256,),) = connection.execute("SELECT sha256 FROM schema_migrations WHERE version = 1").fetchall()
        connection.execute("UPDATE schema_migrations SET sha256 = 'another' WHERE version = 1")
        try:
            with pytest.raises(StoreError, match="tradingsystem/0001_partitions was changed after it was applied"):
                migrate(hot, cluster)
        finally:
            connection.execute("UPDATE schema_migrations SET sha256 = %s WHERE version = 1", (sha256,))


def test_line_ends_of_a_checkout_do_not_change_a_migration(tmp_path):
    unix, windows = tmp_path / "0001_a.sql", tmp_path / "0001_b.sql"
    unix.write_bytes(b"SELECT 1;\nSELECT 2;\n")
    windows.write_bytes(b"SELECT 1;\r\nSELECT 2;\r\n")

    assert Migration("x", 1, unix).sha256 == Migration("x", 1, windows).sha256


def test_two_migrations_of_one_number_are_refused(tmp_path, monkeypatch):
    for name in ("0001_a.sql", "0001_b.sql"):
        (tmp_path / "tradingsystem").mkdir(exist_ok=True)
        (tmp_path / "tradingsystem" / name).write_text("SELECT 1")
    monkeypatch.setattr(migrating, "MIGRATIONS", tmp_path)

    with pytest.raises(StoreError, match="carry the same number"):
        migrations()


def test_a_migration_that_fails_leaves_nothing(hot, cluster, engines, tmp_path, monkeypatch):
    folder = tmp_path / "langgraph"
    folder.mkdir()
    (folder / "0099_broken.sql").write_text("CREATE TABLE half (one int); SELECT nothing FROM nowhere")
    monkeypatch.setattr(migrating, "MIGRATIONS", tmp_path)

    with pytest.raises(psycopg.errors.UndefinedTable):
        migrate(hot, cluster)
    with psycopg.connect(engines.postgres.admin_dsn("langgraph")) as connection:
        assert connection.execute("SELECT to_regclass('half')").fetchone() == (None,)


def test_drift_refuses_and_names_every_column(hot, cluster, engines):
    with psycopg.connect(engines.postgres.admin_dsn("tradingsystem"), autocommit=True) as connection:
        connection.execute("ALTER TABLE receipts ADD COLUMN strange integer")
        connection.execute("ALTER TABLE receipts ALTER COLUMN digest DROP NOT NULL")
        try:
            with pytest.raises(DriftError) as refused:
                check(hot, cluster)
            with pytest.raises(DriftError):
                migrate(hot, cluster)
        finally:
            connection.execute("ALTER TABLE receipts DROP COLUMN strange")
            connection.execute("ALTER TABLE receipts ALTER COLUMN digest SET NOT NULL")

    assert refused.value.differences == [
        "warm.receipts: column digest is text, the contract says text not null",
        "warm.receipts: column strange (integer) is not in the contract",
    ]
    check(hot, cluster)


def test_days_are_partitions_and_there_is_no_default_partition(warm):
    """TimescaleDB is not installed here: the tables are natively partitioned, as recorded by their kind."""
    extension = warm.rows("SELECT 1 AS one FROM pg_extension WHERE extname = 'timescaledb'")
    kinds = warm.rows("SELECT relkind::text AS kind FROM pg_class WHERE relname = 'ticks'")
    defaults = warm.rows("SELECT partdefid::regclass::text AS name FROM pg_partitioned_table WHERE partdefid <> 0")

    assert extension == []
    assert kinds == [{"kind": "p"}]
    assert defaults == []
    assert not warm.hypertable(TABLES["ticks"])


def test_the_owner_of_the_tape_makes_partitions_and_only_of_partitioned_tables(warm, table):
    with warm.connect() as connection:
        call = "SELECT ensure_partitions(%s, %s, %s) AS made"
        made = [connection.execute(call, (table.name, "2026-11-18", "2026-11-20")).fetchone()["made"] for _ in "12"]
        other = connection.execute(call, ("receipts", "2026-11-18", "2026-11-20")).fetchone()["made"]
        with pytest.raises(psycopg.errors.RaiseException, match="beyond ten years"), connection.transaction():
            connection.execute(call, (table.name, "1990-01-01", "2026-11-20"))

    assert (made, other) == ([3, 0], 0)


@pytest.mark.parametrize(
    ("role", "database"),
    [
        ("langgraph", "tradingsystem"),
        ("langgraph", "frontend_apps"),
        ("app_workspace", "tradingsystem"),
        ("app_workspace", "langgraph"),
        ("app_documentation", "dagster"),
        ("tape_reader", "frontend_apps"),
        ("tape_reader", "dagster"),
        ("timescale", "frontend_apps"),
        ("dagster", "tradingsystem"),
    ],
)
def test_a_role_cannot_enter_a_database_that_is_not_its_own(engines, role, database):
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        as_role(engines, role, database)


def test_every_role_enters_its_own_database_and_is_no_superuser(engines):
    for database, (owner, others) in DATABASES.items():
        for role in {owner, *others} - {"frontend_admin"}:
            with as_role(engines, role, database) as connection:
                statement = "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user"

                assert connection.execute(statement).fetchone() == (False,)


def test_a_service_sees_its_own_schema_and_no_other(engines):
    with psycopg.connect(engines.postgres.admin_dsn("frontend_apps"), autocommit=True) as admin:
        admin.execute("CREATE TABLE documentation.secret (one int)")
        try:
            with as_role(engines, "app_workspace", "frontend_apps") as connection:
                for statement in (
                    "SELECT * FROM documentation.secret",
                    "CREATE TABLE documentation.mine (one int)",
                    "CREATE TABLE public.mine (one int)",
                    "CREATE SCHEMA mine",
                ):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        connection.execute(statement)
        finally:
            admin.execute("DROP TABLE documentation.secret")


def test_the_reader_of_the_tape_reads_and_cannot_write(engines, table):
    with as_role(engines, "tape_reader", "tradingsystem") as connection:
        assert connection.execute(f"SELECT count(*) FROM {table.name}").fetchone() == (0,)

        connection.execute("SET default_transaction_read_only = off")  # its own setting is no protection
        for statement in (
            f"INSERT INTO {table.name} SELECT * FROM {table.name}",
            f"DELETE FROM {table.name}",
            f"TRUNCATE {table.name}",
            "UPDATE sync_control SET hot_txn = 0",
            "CREATE TABLE mine (one int)",
            f"SELECT ensure_partitions('{table.name}', '2026-11-18', '2026-11-18')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_a_wrong_password_does_not_enter(engines):
    passwords = engines.postgres.passwords | {"timescale": "wrong"}
    wrong = msgspec.structs.replace(engines.postgres, passwords=passwords)

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong.dsn("timescale", "tradingsystem"))
