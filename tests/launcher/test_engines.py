"""The embedded engines, for real."""

import psycopg

from config.settings import Settings
from launcher.engines import health


def test_both_engines_answer_a_statement_with_their_passwords(engines: Settings):
    health.sql_answers(engines.questdb.pg_dsn())
    health.sql_answers(engines.questdb.pg_dsn(reader=True))
    health.sql_answers(engines.postgres.admin_dsn())


def test_postgres_is_utf8_utc_and_checks_its_pages(engines: Settings):
    with psycopg.connect(engines.postgres.admin_dsn()) as connection:
        found = [
            connection.execute(f"SHOW {name}").fetchone()[0]
            for name in ("server_encoding", "timezone", "data_checksums", "password_encryption", "listen_addresses")
        ]

    assert found == ["UTF8", "UTC", "on", "scram-sha-256", "127.0.0.1"]
