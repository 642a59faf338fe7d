"""Files of the collectors: what each line becomes, in UTC and in plain numbers, and which lines are refused."""

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql.market_files import RefusedFileError, read
from sql.market_values import contract_of, instant_of, number_of

MIDNIGHT = dt.datetime(2025, 11, 19, 3, tzinfo=dt.UTC)  # of São Paulo


def rows(name, text):
    found = read(name, text.encode())
    kept = {table: told for table, (_, told) in found.rows.items()}
    return {
        table: [{key: value for key, value in row.items() if value is not None} for row in told]
        for table, told in kept.items()
    }, [(refusal.line, refusal.reason) for refusal in found.refusals]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            ("1.234,5", 1234.5),
            ("1234.5", 1234.5),
            ("1.234.567", 1234567.0),
            ("14.900", 14.9),
            ("-0,25%", -0.25),
            ("R$ 5,40", 5.4),
        ),
        *(("N/A", None), ("", None), ("-", None), (None, None), (7, 7.0), ("1e3", 1000.0)),
    ],
)
def test_numbers_are_brazilian_or_plain(text, value):
    assert number_of(text) == value


@pytest.mark.parametrize("text", ["abc", "1,2,3", "1..2", "٣", "0x10", "inf", float("nan"), "12 34"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="expected a"):
        number_of(text)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_that_is_written_is_read(value):
    assert number_of(repr(value)) == value


@pytest.mark.parametrize(
    "text", ["nov-25", "NOV/2025", "X25", "x25", "DOLX25", "nov 25", "11/2025", "11-25", "Novembro-25"]
)
def test_a_contract_month_has_one_form(text):
    assert contract_of(text) == "X25"


@pytest.mark.parametrize("text", ["", "xyz-25", "13/25", "X2", "delta_1"])
def test_what_is_no_contract_month_is_refused(text):
    with pytest.raises(ValueError, match="contract month"):
        contract_of(text)


def test_dates_and_clocks_are_those_of_sao_paulo():
    assert instant_of("19/11/2025") == instant_of("2025-11-19") == MIDNIGHT
    assert instant_of("2025-11-19", "18:05") == dt.datetime(2025, 11, 19, 21, 5, tzinfo=dt.UTC)
    assert instant_of("2025-11-19T18:05:00Z") == dt.datetime(2025, 11, 19, 18, 5, tzinfo=dt.UTC)


def test_settlements():
    text = (
        "data;dol_vencimento;dol_preco_numerico;dol_preco_anterior_numerico;di1_vencimento;di1_preco_numerico\n"
        "19/11/2025;nov-25;5.412,50;5.400,00;F26;14,90\n"
        "20/11/2025;what;1;1;F26;1\n"
        "short\n"
        "\n"
        "21/11/2025;-;;;F26;N/A\n"
    )
    stored, refused = rows("ajustes.csv", text)

    assert [line for line, _ in refused] == [3, 4]
    assert stored["b3_adjustments"][0] == {
        "ts": MIDNIGHT,
        "instrument": "DOL",
        "contract_month": "X25",
        "price_settlement": 5412.5,
        "price_prev": 5400.0,
        "status": "migrado",
    }
    assert [(row["instrument"], row.get("price_settlement")) for row in stored["b3_adjustments"][1:]] == [
        ("DI1", 14.9),
        ("DI1", None),
    ]


def test_surface_dollar_index_and_figures():
    surface, _ = rows("vol.csv", "data,mes,delta_1,delta_5\n2025-11-19,nov-25,12.5,\n")
    dollar, _ = rows("dxy.csv", "\ufeffdata,hora,dxy_8h50,dxy_9h30\n2025-11-19,08:50,0.12,-0.3\n")
    figures, _ = rows("indicadores.csv", "Data;CDI;SELIC meta\n19/11/2025;14,90;15\n")

    (point,) = surface["b3_vol_surface"]
    assert (point["contract_month"], point["delta_bucket"], point["volatility"]) == ("X25", "delta_1", 12.5)
    assert [(row["bucket"], row["value"]) for row in dollar["b3_dxy_ticks"]] == [("dxy_8h50", 0.12), ("dxy_9h30", -0.3)]
    assert dollar["b3_dxy_ticks"][0]["ts"] == dt.datetime(2025, 11, 19, 11, 50, tzinfo=dt.UTC)
    assert {row["indicator"]: row["value"] for row in figures["b3_indicators_daily"]} == {
        "cdi": 14.9,
        "selic meta": 15.0,
    }


def test_the_last_snapshot_and_the_walls():
    entry = {
        "data_coleta": "2025-11-19",
        "hora_coleta": "18:30",
        "dol": {"vencimento": "dez-25", "preco_numerico": 5412.5, "preco_anterior_numerico": "5.400,00"},
        "indicadores_financeiros": {"Dólar": {"valor": "5,41 +0,2%"}, "CDI": {"valor": "14,90%"}},
        "data_atualizacao": "19/11/2025",
        "ES_SP500": {"call_wall": 6800, "put_wall": "N/A", "gamma_flip": "6.650,5"},
    }
    stored, refused = rows("last.json", json.dumps([entry, {"dol": entry["dol"]}, 7]))

    assert [line for line, _ in refused] == [2, 3]
    (snapshot,) = stored["b3_snapshots"]
    assert (snapshot["ts"], snapshot["coleta_hora"]) == (dt.datetime(2025, 11, 19, 21, 30, tzinfo=dt.UTC), "18:30:00")
    assert (snapshot["contract_month"], snapshot["price_settlement_prev"]) == ("Z25", 5400.0)
    assert {row["name"]: (row.get("value"), row["display_value"]) for row in stored["b3_indicators"]} == {
        "Dólar": (None, "5,41 +0,2%"),
        "CDI": (14.9, "14,90%"),
    }
    (walls,) = stored["b3_gamma_levels"]
    assert (walls["call_wall"], walls.get("put_wall"), walls["gamma_flip"]) == (6800.0, None, 6650.5)
    assert json.loads(walls["raw_payload"])["put_wall"] == "N/A"


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "data\n2025-11-19\n", "{", "[]", '{"a": 1, "timestamp": "2025-11-19"}']
)
def test_a_file_of_no_known_kind_is_refused(text):
    with pytest.raises(RefusedFileError, match="file: expected"):
        read("file", text.encode())
    with pytest.raises(RefusedFileError, match="UTF-8"):
        read("file", b"\xff\xfe")
