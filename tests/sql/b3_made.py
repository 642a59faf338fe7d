"""Small files in B3's layout, made for tests."""

import zipfile
from pathlib import Path

import polars as pl

HEADER = (
    "DataReferencia;CodigoInstrumento;AcaoAtualizacao;PrecoNegocio;QuantidadeNegociada;HoraFechamento;"
    "CodigoIdentificadorNegocio;TipoSessaoPregao;DataNegocio;CodigoParticipanteComprador;CodigoParticipanteVendedor"
)


def line(
    symbol="TEST3", trade_id=10, *, day="2026-07-14", action=0, price="41,200", quantity=5500, clock="100719126",
    kind=1, session=None, brokers="85;8",
):  # fmt: skip
    return f"{day};{symbol};{action};{price};{quantity};{clock};{trade_id};{kind};{session or day};{brokers}"


def text(*lines: str, header: str = HEADER) -> str:
    return "".join(f"{one}\n" for one in (header, *lines))


def zipped(path: Path, content: str | bytes, member: str = "14-07-2026_NEGOCIOSAVISTA.txt") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, content)
    return path


def file_of(ticks: pl.DataFrame) -> str:
    """The text that says these trades, with the columns of `ticks`; numbers, times and prices are theirs."""
    local = pl.col("ts").dt.convert_time_zone("America/Sao_Paulo")
    told = ticks.sort("ts", "trade_id").select(
        "symbol", "trade_id", "quantity", day=local.dt.date().cast(pl.String), clock=local.dt.strftime("%H%M%S%3f"),
        price=pl.col("price").round(3).cast(pl.String).str.replace(".", ",", literal=True),
    )  # fmt: skip
    return text(*(line(brokers="85;8", **row) for row in told.iter_rows(named=True)))
