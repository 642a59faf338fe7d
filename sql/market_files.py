"""Files of the collectors of B3 data: which table each is for, and its rows. Pure; `sql.market.store` writes them.

Dates and clocks in them are those of São Paulo. Numbers are Brazilian (`1.234,5`) or plain (`1234.5`).
"""

import csv
import datetime as dt
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import polars as pl
from msgspec import Struct

from sql.contract import Table
from sql.exchange import SAO_PAULO
from sql.market_tables import ADJUSTMENTS, DXY, GAMMA_LEVELS, INDICATORS, INDICATORS_DAILY, SNAPSHOTS, VOL_SURFACE
from sql.market_values import EMPTY, contract_of, instant_of, number_of

DATE_NAMES = ("data", "data_coleta", "date", "timestamp", "dia", "coleta_data")
TIME_NAMES = ("hora", "hora_coleta", "time", "coleta_hora")
SETTLED = re.compile(r"^(di1|ddi|dol)_vencimento$")


class RefusedFileError(Exception):
    """A file that is none of those known, or cannot be read. The message says what was expected and found."""


class Refusal(Struct, frozen=True):
    """One line or entry that was left out."""

    line: int
    reason: str


class Found(Struct, frozen=True, kw_only=True):
    """What a file holds: rows by table, and what of it could not be understood."""

    rows: dict[str, tuple[Table, list[dict[str, Any]]]]
    refusals: list[Refusal]

    def frames(self) -> Iterator[tuple[Table, pl.DataFrame]]:
        """The rows as `sql.market.store` takes them."""
        for table, rows in self.rows.values():
            columns = [c for c in table.columns if c.name != "ingested_at"]
            yield table, pl.DataFrame(rows, schema={c.name: c.kind.polars for c in columns}, orient="row")


class _Sheet:
    """Collects rows and refusals of one file."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[Table, list[dict[str, Any]]]] = {}
        self.refusals: list[Refusal] = []

    def add(self, table: Table, **values: Any) -> None:
        row = {name: values.get(name) for name in table.names if name != "ingested_at"}
        self.rows.setdefault(table.name, (table, []))[1].append(row)

    def refuse(self, line: int, reason: Exception | str) -> None:
        self.refusals.append(Refusal(line, str(reason)))


def read(name: str, content: bytes) -> Found:
    """The rows of a collector's CSV or JSON file. Raises RefusedFileError for a file of no known kind."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedFileError(f"{name}: expected UTF-8 text ({error})") from error
    sheet = _Sheet()
    if text.lstrip()[:1] in ("{", "["):
        _read_json(name, text, sheet)
    else:
        _read_csv(name, text, sheet)
    return Found(rows=sheet.rows, refusals=sheet.refusals)


def _read_csv(name: str, text: str, sheet: _Sheet) -> None:
    head = text.partition("\n")[0]
    delimiter = max(";,\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    header = [cell.strip().lower() for cell in next(reader, [])]
    date = next((cell for cell in DATE_NAMES if cell in header), None)
    take = _kind_of(header)
    if date is None or take is None:
        raise RefusedFileError(
            f"{name}: expected a header with a date column ({', '.join(DATE_NAMES)}) and those of settlements "
            f"(dol_vencimento …), a volatility surface (mes, delta_1 …), dxy_… or figures; found {head.strip()[:200]!r}"
        )
    clock = next((cell for cell in TIME_NAMES if cell in header), None)
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        line = reader.line_num
        if len(cells) != len(header):
            sheet.refuse(line, f"expected {len(header)} fields, found {len(cells)}")
            continue
        values = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        try:
            ts = instant_of(values.pop(date), values.pop(clock, None) if clock else None)
            take(ts, values, sheet)
        except (ValueError, OverflowError) as error:
            sheet.refuse(line, error)


def _kind_of(header: list[str]) -> Any:
    if any(SETTLED.match(cell) for cell in header):
        return _take_settlements
    if "mes" in header and any(cell.startswith("delta_") for cell in header):
        return _take_surface
    if any(cell.startswith("dxy") for cell in header):
        return _take_dxy
    return _take_indicators if set(header) - {*DATE_NAMES, *TIME_NAMES} else None


def _take_settlements(ts: dt.datetime, values: dict[str, str], sheet: _Sheet) -> None:
    rows = []
    for cell, contract in values.items():
        if (found := SETTLED.match(cell)) and contract.lower() not in EMPTY:
            prefix = found[1]
            rows.append(
                {
                    "instrument": prefix.upper(),
                    "contract_month": contract_of(contract),
                    "price_settlement": number_of(values.get(f"{prefix}_preco_numerico")),
                    "price_prev": number_of(values.get(f"{prefix}_preco_anterior_numerico")),
                    "status": "migrado",
                }
            )
    for row in rows:  # all of a line or nothing
        sheet.add(ADJUSTMENTS, ts=ts, **row)


def _take_surface(ts: dt.datetime, values: dict[str, str], sheet: _Sheet) -> None:
    month = contract_of(values["mes"])
    points = {cell: number_of(text) for cell, text in values.items() if cell.startswith("delta_")}
    for bucket, volatility in points.items():
        if volatility is not None:
            sheet.add(VOL_SURFACE, ts=ts, contract_month=month, delta_bucket=bucket, volatility=volatility)


def _take_dxy(ts: dt.datetime, values: dict[str, str], sheet: _Sheet) -> None:
    points = {cell: number_of(text) for cell, text in values.items() if cell.startswith("dxy")}
    for bucket, value in points.items():
        if value is not None:
            sheet.add(DXY, ts=ts, bucket=bucket, value=value)


def _take_indicators(ts: dt.datetime, values: dict[str, str], sheet: _Sheet) -> None:
    figures = {cell: number_of(text) for cell, text in values.items()}
    for indicator, value in figures.items():
        if value is not None and indicator:
            sheet.add(INDICATORS_DAILY, ts=ts, indicator=indicator, value=value)


def _read_json(name: str, text: str, sheet: _Sheet) -> None:
    try:
        body = json.loads(text)
    except ValueError as error:
        raise RefusedFileError(f"{name}: expected JSON ({error})") from error
    entries = body if isinstance(body, list) else [body]
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            sheet.refuse(number, f"expected an object, found {type(entry).__name__}")
            continue
        try:
            _take_entry(entry, sheet)
        except (ValueError, KeyError, AttributeError, OverflowError) as error:
            sheet.refuse(number, error)
    if not sheet.rows and not sheet.refusals:
        raise RefusedFileError(f"{name}: expected settlements, financial indicators or gamma levels, found none")


def _take_entry(entry: dict[str, Any], sheet: _Sheet) -> None:
    ts = _collected_at(entry)
    for instrument, told in _settled(entry):
        sheet.add(
            SNAPSHOTS,
            ts=ts,
            coleta_data=ts.astimezone(SAO_PAULO).date(),
            coleta_hora=f"{ts.astimezone(SAO_PAULO):%H:%M:%S}",
            instrument=instrument,
            contract_month=contract_of(str(told["vencimento"])),
            price_settlement=number_of(told.get("preco_numerico")),
            price_settlement_prev=number_of(told.get("preco_anterior_numerico")),
            status=str(told.get("status") or "sucesso"),
            source=str(told.get("fonte") or "B3"),
        )
    for figure, told in _figures(entry):
        updated = told.get("data_atualizacao") or entry.get("data_atualizacao")
        sheet.add(
            INDICATORS,
            ts=ts,
            name=figure,
            value=_lenient(told.get("valor_numerico", told.get("valor"))),
            display_value=None if told.get("valor") is None else str(told["valor"]),
            updated_at=instant_of(str(updated)) if updated else None,
        )
    for instrument, told in _walled(entry):
        sheet.add(
            GAMMA_LEVELS,
            ts=ts,
            instrument=instrument,
            call_wall=number_of(told.get("call_wall")),
            put_wall=number_of(told.get("put_wall")),
            gamma_flip=number_of(told.get("gamma_flip")),
            raw_payload=json.dumps(told, ensure_ascii=False, sort_keys=True),
            status=str(told.get("status") or "sucesso"),
        )


def _collected_at(entry: dict[str, Any]) -> dt.datetime:
    if told := entry.get("timestamp"):
        return instant_of(str(told))
    if told := entry.get("data_coleta"):
        return instant_of(str(told), entry.get("hora_coleta"))
    raise ValueError("expected `timestamp` or `data_coleta`, found neither")


def _settled(entry: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, told in entry.items():
        if isinstance(told, dict) and told.get("vencimento"):
            yield name.upper(), told


def _figures(entry: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    told = entry.get("indicadores_financeiros") or {}
    if isinstance(told, list):
        told = {str(one["nome"]): one for one in told}
    for name, one in told.items():
        yield name, one if isinstance(one, dict) else {"valor": one}


def _walled(entry: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, told in entry.items():
        if isinstance(told, dict) and not told.keys().isdisjoint({"call_wall", "put_wall", "gamma_flip"}):
            yield name.upper(), told


def _lenient(text: Any) -> float | None:
    """An indicator may be a text that is no number; people still read it."""
    try:
        return number_of(text)
    except ValueError:
        return None
