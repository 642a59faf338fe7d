"""Small files in B3's layout, made for tests."""

import zipfile
from pathlib import Path

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
