"""The stores of the settings: which addresses and accounts they have, and what is not loaded for them."""

import subprocess
import sys

import pytest

from config.settings import ROOT, load
from sql import stores

OWN = {"QUESTDB_HTTP_PORT": "9123", "QUESTDB_PG_PORT": "8123", "FRONTEND_APPS_DB_PORT": "5123"}
YOURS = {"QUESTDB_REST_URL": "https://quest.example:9000", "QUESTDB_USER": "admin", "QUESTDB_PASSWORD": "word"}


@pytest.fixture
def settings(tmp_path):
    def of(environ):
        return load({"TRADINGSYSTEM_DATA_DIR": str(tmp_path), **environ}, root=tmp_path)

    return of


def test_stores_are_those_of_the_settings(settings, tmp_path):
    hot, warm, cold = (make(settings(OWN)) for make in (stores.hot, stores.warm, stores.cold))
    hot.close()

    assert hot.url == "http://127.0.0.1:9123"
    assert hot.dsn.startswith("postgresql://admin:")
    assert hot.import_dir == tmp_path / "questdb" / "import"
    assert warm.dsn == "postgresql://timescale@127.0.0.1:5123/tradingsystem"
    assert warm.reader_dsn == "postgresql://tape_reader@127.0.0.1:5123/tradingsystem"
    assert cold.root == tmp_path / "cold"


def test_a_reader_knows_no_account_that_writes(settings):
    hot, warm = stores.hot(settings(OWN), reader=True), stores.warm(settings(OWN), reader=True)
    hot.close()

    assert hot.dsn == hot.reader_dsn == "postgresql://reader:quest@127.0.0.1:8123/qdb"
    assert hot.import_dir is None
    assert warm.dsn == warm.reader_dsn == "postgresql://tape_reader@127.0.0.1:5123/tradingsystem"


@pytest.mark.parametrize(("environ", "auth"), [(OWN, None), (YOURS, ("admin", "word"))], ids=["own", "yours"])
def test_a_server_of_yours_is_told_the_password_and_shares_no_disk(settings, environ, auth):
    found = settings(environ)

    assert found.questdb.auth == auth
    assert (found.import_dir is None) == (auth is not None)


def test_the_drivers_of_a_store_are_loaded_when_it_is_made():
    heavy = "{'duckdb', 'httpx', 'polars', 'psycopg', 'pyarrow'}"
    program = f"import sys; from sql import stores; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
