"""Posts read as signals: the examples of the original's channels, edge cases, and what holds for any text."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from api.tp_capital.parser import MAX_PRICE, folded, price, read

# Name -> message (`/` parts lines), asset, buy min, buy max, target 1, target 2, final, stop, type; or the reason.
TABLE = {
    "A": (
        "SWING / Ativo: MGLUK210 / Compra: 0,48 a 0,52 / Alvo 1: 0,60 / Alvo 2: 0,95 / Alvo final: 1,40 / Stop: 0,31",
        ("MGLUK210", 0.48, 0.52, 0.60, 0.95, 1.40, 0.31, "Swing Trade"),
    ),
    "B": (
        "DAY TRADE / ATIVO: WDOX25 / COMPRA: 5.412,50 / ALVO 1: 5.420,00 / ALVO FINAL: 5.431,50 / STOP: 5.405,00",
        ("WDOX25", 5412.5, 5412.5, 5420.0, None, 5431.5, 5405.0, "Day Trade"),
    ),
    "C": (
        "GGBR4 / Compra: 17,45 - 17,60 / Alvo 1: 17,95 / Stop: 17,10",
        ("GGBR4", 17.45, 17.60, 17.95, None, 17.95, 17.10, "Swing Trade"),
    ),
    "D": (
        "Ativo: CSNAK12 / Compra de: 0,33 até 0,36 / Alvo 1 - 0,44 / Alvo 2 - 0,61 / Stop - 0,20",
        ("CSNAK12", 0.33, 0.36, 0.44, 0.61, 0.61, 0.20, "Swing Trade"),
    ),
    "E": (
        "Ativo: PRIOL450 / COMPRA 0.80-0.85 / ALVO 1 0.99 / STOP 0.55",
        ("PRIOL450", 0.80, 0.85, 0.99, None, 0.99, 0.55, "Swing Trade"),
    ),
    "F": (
        "Ativo: ITUBK330 / Alvo 1: 1,10 / Alvo 2: 1,30 / Alvo 3: 1,55 / Alvo final: 2,00 / Compra: 0,90 / Stop: 0,60",
        ("ITUBK330", 0.90, 0.90, 1.10, 1.30, 2.00, 0.60, "Swing Trade"),
    ),
    "G": ("Resultado do dia: stop: 0,40 em BBASK28", "no_buy_range"),
    "H": (
        "Ativo: BOVAW11 / Entrada: 1,00 a 1,05 / TP1: 1,20 / SL: 0,80",
        ("BOVAW11", 1.00, 1.05, 1.20, None, 1.20, 0.80, "Swing Trade"),
    ),
    "I": ("Bom dia! Hoje tem live", "no_asset"),
    "J": (
        "Compra: 10,00 / Alvo 2: 12,00 / Stop: 9,00 / Ativo: WEGE3",
        ("WEGE3", 10.0, 10.0, None, 12.0, 12.0, 9.0, "Swing Trade"),
    ),
    "K": (
        "Ativo: B3SA3 / Compra: 10,00 à 10,20 / Alvo 1: 10,90 / Stop: 9,40",
        ("B3SA3", 10.0, 10.2, 10.9, None, 10.9, 9.4, "Swing Trade"),
    ),
    "L": ("VENDA: 30,10 / Ativo: VALE3 / Alvo 1: 29,00 / Stop: 31,00", "no_buy_range"),
    "M": (
        "WINZ25 compra: 130.450 alvo 1: 130.700 alvo final: 130.980 stop: 130.260",
        ("WINZ25", 130450.0, 130450.0, 130700.0, None, 130980.0, 130260.0, "Swing Trade"),
    ),
    "synonyms": (
        "🚀 *day-trade* / Papel = PETR4 / Buy: R$ 28,50 / Target 1️⃣: R$ 30 / Stop Loss: 27,125",
        ("PETR4", 28.5, 28.5, 30.0, None, 30.0, 27.125, "Day Trade"),
    ),
    "between": (
        "Ticker VALE3 / Compra entre: 60,10 e 60,50 / Alvo: 62,00 / Stop: 59,00",
        ("VALE3", 60.1, 60.5, 62.0, None, 62.0, 59.0, "Swing Trade"),
    ),
    "one word more, and bounds the wrong way round": (
        "Scalping / Ativo WINFUT / Compra imediata de: 131.000 até 130.900 / Stop: 130.500",
        ("WINFUT", 130900.0, 131000.0, None, None, None, 130500.0, "Scalping"),
    ),
    "two signals give the first": (
        "Ativo: PETR4 / Compra: 30 / Stop: 29 / / Ativo: VALE3 / Compra: 60 / Alvo 1: 65 / Stop: 58",
        ("PETR4", 30.0, 30.0, None, None, None, 29.0, "Swing Trade"),
    ),
    "pieces of two signals are not mixed": (
        "Ativo: PETR4 / Compra: 30 / Alvo 1: 33 / / Ativo: VALE3 / Compra: 60 / Stop: 28",
        "no_stop",
    ),
    "a stop in points is no price": ("Ativo: WINZ25 / Compra: 130.450 / Stop: 300 pts", "no_stop"),
    "a stop in percent is no price": ("Ativo: PETR4 / Compra: 30,00 / Stop: 10%", "no_stop"),
    "a number of contracts is no price": ("Ativo: WINZ25 / Compra: 5 contratos / Stop: 130.000", "no_buy_range"),
    "a number with two readings is none": ("Ativo: WINZ25 / Compra: 1,234.56 / Stop: 1", "no_buy_range"),
    "a stop above the entry": ("Ativo: PETR4 / Compra: 30,00 / Stop: 31,00", "contradictory"),
    "a target below the entry": ("Ativo: PETR4 / Compra: 30,00 / Alvo 1: 29 / Stop: 28,00", "contradictory"),
    "taken back": ("CANCELADO / Ativo: PETR4 / Compra: 30,00 / Stop: 29,00", "cancelled"),
    "zero": ("Ativo: PETR4 / Compra: 0,00 / Stop: 0", "no_buy_range"),
    "nothing": (" \r / ", "empty"),
    "a book": ("x" * 10_001, "too_long"),
}
COLUMNS = ("asset", "buy_min", "buy_max", "target_1", "target_2", "target_final", "stop", "signal_type")


@pytest.mark.parametrize(("message", "expected"), TABLE.values(), ids=TABLE)
def test_a_post_reads_as_people_mean_it(message, expected):
    reading = read(message.replace(" / ", "\r\n"))

    if isinstance(expected, str):
        assert reading.reason == expected
    else:
        assert reading.reason is None
        assert tuple(asdict(reading)[name] for name in COLUMNS) == expected


@pytest.mark.parametrize(
    ("token", "value"),
    [
        ("28.500", 28500), ("1.04", 1.04), ("1,04", 1.04), ("0,125", 0.125), ("5.412,50", 5412.5), ("130.450", 130450),
        ("0.355", 0.355), ("17", 17), ("1.234.567", 1234567), ("10.5", 10.5), ("1,234.56", None), ("1.2.3", None),
        ("1234.567", None), ("0", None), ("0,00", None), ("99999999", None), ("1" * 300, None), ("1,2,3", None),
    ],
)  # fmt: skip
def test_a_number_has_one_reading_or_none(token, value):
    assert price(token) == value


def test_the_text_is_kept_as_it_came_but_for_its_ends():
    assert read("  Ativo: PETR4\r\nCompra: 30 \r\n").raw == "Ativo: PETR4\nCompra: 30"


WORDS = "Ativo: PETR4 WINZ25 Compra Alvo 1 final Stop : - a até à E R$ % pts ß ² ٣ １２ 1️⃣ , 10 0,48 5.412,50 130.450"
PIECES = st.sampled_from([*WORDS.split(), "\n", "\u0307", "0.80-0.85", "1,234.56"])
POSTS = st.lists(PIECES | st.text(max_size=6), max_size=40).map(" ".join) | st.text(max_size=400)


@given(POSTS)
@example("Ativo: PETR4 Compra: 30 Stop: 29")
@settings(max_examples=600, deadline=None)
def test_any_text_is_read_and_no_number_is_invented(text):
    reading = read(text)

    told = [value for value in asdict(reading).values() if isinstance(value, float)]
    written = {
        found for token in re.findall(r"[0-9](?:[0-9.,]*[0-9])?", folded(text)) if (found := price(token)) is not None
    }
    assert set(told) <= written
    assert all(0 < value <= MAX_PRICE for value in told)
    assert reading.reason is not None or None not in (reading.asset, reading.buy_min, reading.buy_max, reading.stop)
    assert read(text) == reading


def test_a_long_post_is_read_at_once():
    """No shape may take exponential time: the longest post of Telegram, made of what the shapes look for."""
    import time

    began = time.perf_counter()
    for part in ("Compra a a a ", "1,1.1,", "Alvo 1 ", "Ativo: A1", "compra entre - "):
        read(part * (10_000 // len(part)))

    assert time.perf_counter() - began < 2
