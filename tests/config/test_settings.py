import re
from decimal import Decimal
from pathlib import Path

import pytest

from config import manifest, secrets
from config.settings import LAYERS, ROOT, SettingsError, load, variables


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    return tmp_path


def test_later_layers_win(checkout):
    for level, layer in enumerate(LAYERS, start=1):
        lines = "\n".join(f"{name}={level}" for name in ("A_1", "A_2", "A_3", "A_4")[level - 1 :])
        names = {"A_1": "QUESTDB_HTTP_PORT", "A_2": "QUESTDB_PG_PORT", "A_3": "API_GATEWAY_PORT", "A_4": "DAGSTER_PORT"}
        for short, name in names.items():
            lines = lines.replace(short, name)
        (checkout / layer).write_text(lines, encoding="utf-8")

    settings = load({"ORDER_MANAGER_PORT": "5", "DAGSTER_PORT": "5"}, root=checkout)

    assert settings.questdb.http_port == 1
    assert settings.questdb.pg_port == 2
    assert settings.ports["api-gateway"] == 3
    assert settings.ports["dagster"] == 5
    assert settings.ports["order-manager"] == 5


def test_an_empty_value_is_no_value(checkout):
    assert load({"QUESTDB_REST_URL": ""}, root=checkout).questdb.external is False


def test_an_unknown_name_of_ours_stops_the_process_named(checkout):
    (checkout / ".env").write_text("TRADINGSYSTEM_ACESS=required\n", encoding="utf-8")

    with pytest.raises(SettingsError, match="TRADINGSYSTEM_ACESS"):
        load({}, root=checkout)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QUESTDB_PG_PORT", "70000"),
        ("API_GATEWAY_PORT", "eight"),
        ("TRADINGSYSTEM_ACCESS", "maybe"),
        ("DISABLE_CORS", "perhaps"),
        ("QUESTDB_HEAP", "much"),
        ("TRADINGSYSTEM_B3_TIMEOUT_SECONDS", "0"),
    ],
)
def test_a_value_that_does_not_fit_stops_the_process_named(checkout, name, value):
    with pytest.raises(SettingsError, match=rf"{name}='{value}'"):
        load({name: value}, root=checkout)


def test_a_layer_that_is_not_utf8_is_named(checkout):
    (checkout / ".env.local").write_bytes(b"LOG_LEVEL=\xff\xfe")

    with pytest.raises(SettingsError, match=r"\.env\.local"):
        load({}, root=checkout)


def test_lowdb_names_the_command_that_brings_its_files_in(checkout):
    with pytest.raises(SettingsError, match="tradingsystem import lowdb"):
        load({"LIBRARY_DB_STRATEGY": "lowdb"}, root=checkout)


def test_documentation_is_stored_in_postgresql_alone(checkout):
    with pytest.raises(SettingsError, match=r"DOCUMENTATION_DB_STRATEGY=questdb.*import lowdb"):
        load({"DOCUMENTATION_DB_STRATEGY": "questdb"}, root=checkout)

    assert load({"DOCUMENTATION_DB_STRATEGY": "postgresql"}, root=checkout).documentation_strategy == "postgresql"


def test_any_other_bind_asks_every_caller_for_a_key(checkout):
    assert load({}, root=checkout).access.key_needed is False
    assert load({"TRADINGSYSTEM_BIND": "0.0.0.0"}, root=checkout).access.key_needed is True
    assert load({"TRADINGSYSTEM_ACCESS": "required"}, root=checkout).access.key_needed is True


def test_a_password_with_any_letters_survives_its_dsn(checkout, monkeypatch):
    data = checkout / "data"
    monkeypatch.setattr(secrets.random, "token_urlsafe", lambda _: "p@ss/w:rd%?#é")
    secrets.ensure(data)
    settings = load({"TRADINGSYSTEM_DATA_DIR": str(data)}, root=checkout)

    from psycopg.conninfo import conninfo_to_dict

    for dsn in (settings.postgres.dsn("tape_reader", "tradingsystem"), settings.questdb.pg_dsn(reader=True)):
        assert conninfo_to_dict(dsn)["password"] == "p@ss/w:rd%?#é"


def test_the_originals_schema_is_taken_out_of_a_services_dsn(tmp_path):
    url = "postgresql://app_workspace:p%40ss@db:5444/frontend_apps?schema=workspace&sslmode=require"
    postgres = load({"WORKSPACE_DATABASE_URL": url}, root=tmp_path).postgres
    other = load({"WORKSPACE_DATABASE_URL": url.replace("=workspace", "=public")}, root=tmp_path).postgres

    assert postgres.dsn("app_workspace", "frontend_apps") == url.replace("schema=workspace&", "")
    assert postgres.dsn("app_documentation", "frontend_apps").startswith("postgresql://app_documentation@127.0.0.1")
    with pytest.raises(SettingsError, match=r"\?schema=workspace"):
        other.dsn("app_workspace", "frontend_apps")


def test_secrets_are_made_once_and_are_the_owners_alone(tmp_path):
    first = secrets.ensure(tmp_path)

    assert secrets.ensure(tmp_path) == first
    assert set(first) == set(secrets.NAMES)
    assert len(set(first.values())) == len(first)
    if hasattr(__import__("os"), "getuid"):
        assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0


def test_the_example_names_every_variable_and_no_other():
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    named = {match[1] for line in lines if (match := re.match(r"^([A-Z0-9_]+)=", line))}

    assert named == set(variables())


def test_ports_are_equal_in_manifest_defaults_and_example():
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ("config/.env.defaults", ".env.example")]
    for service in manifest.services():
        for variable in service.port_variables[:1]:
            for text in texts:
                assert re.search(rf"^{variable}={service.port}\b", text, re.MULTILINE), variable
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [s.id for s in manifest.services() if s.port and str(s.port) not in readme] == []


def test_the_tracked_layers_load_as_they_are():
    assert load({"TRADINGSYSTEM_DATA_DIR": "elsewhere"}).data_dir == ROOT / "elsewhere"


def test_a_broker_secret_in_a_tracked_file_stops_the_process_and_is_not_repeated(tmp_path):
    (tmp_path / ".env").write_text("PROFITDLL_PASSWORD=tell-nobody\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="PROFITDLL_PASSWORD") as caught:
        load({}, root=tmp_path)

    assert "tell-nobody" not in str(caught.value)


def test_a_broker_secret_comes_from_the_untracked_file(tmp_path):
    (tmp_path / ".env.local").write_text("PROFITDLL_PASSWORD=tell-nobody\n", encoding="utf-8")
    found = load({}, root=tmp_path).profitdll

    assert found.password == "tell-nobody"
    assert found.missing == ("PROFITDLL_PATH", "PROFITDLL_ACTIVATION_KEY", "PROFITDLL_USER")


def test_a_position_limit_is_of_a_symbol_or_a_root(tmp_path):
    found = load({"MAX_POSITION_SIZE_WIN": "20", "MAX_POSITION_SIZE_petr4": "1000"}, root=tmp_path).orders

    assert found.max_positions == {"WIN": 20, "PETR4": 1000}
    with pytest.raises(SettingsError, match="MAX_POSITION_SIZE_WIN='0'"):
        load({"MAX_POSITION_SIZE_WIN": "0"}, root=tmp_path)


def test_costs_are_named_by_their_root(tmp_path):
    orders = load({"TRADINGSYSTEM_CONTRACT_COSTS": "win=0.25, WDO=1.10"}, root=tmp_path).orders

    assert orders.costs == {"WIN": Decimal("0.25"), "WDO": Decimal("1.10")}
    broken = load({"TRADINGSYSTEM_CONTRACT_COSTS": "WIN"}, root=tmp_path).orders
    with pytest.raises(SettingsError, match="ROOT=BRL"):
        _ = broken.costs


@pytest.mark.parametrize("value", ["0", "-1", "NaN", "Infinity", "much"])
def test_an_amount_that_limits_nothing_is_refused_by_name(tmp_path, value):
    with pytest.raises(SettingsError, match="DAILY_LOSS_LIMIT"):
        load({"DAILY_LOSS_LIMIT": value}, root=tmp_path)
