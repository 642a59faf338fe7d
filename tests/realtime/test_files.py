import threading
from pathlib import Path

from realtime.files import FileSource
from sql import stores
from sql.tables import TICKS

HEADER = (
    "DataReferencia;CodigoInstrumento;AcaoAtualizacao;PrecoNegocio;QuantidadeNegociada;HoraFechamento;"
    "CodigoIdentificadorNegocio;TipoSessaoPregao;DataNegocio;CodigoParticipanteComprador;CodigoParticipanteVendedor\n"
)


def test_files_are_imported_and_a_refused_one_is_said(engines, tmp_path: Path):
    good, bad = tmp_path / "2026-10-01_FILE3.txt", tmp_path / "bad.txt"
    lines = [f"2026-10-01;FILE3;0;10,5{n};100;10000{n}000;{n}0;1;2026-10-01;3;8\n" for n in range(1, 6)]
    good.write_text(HEADER + "".join(lines), encoding="utf-8")
    bad.write_text("a;b;c\n1;2;3\n", encoding="utf-8")
    hot = stores.hot(engines)
    source = FileSource([bad, good], hot, stores.warm(engines), tmp_path, threading.Event())

    source.run()
    hot.wait_applied(TICKS)

    assert hot.rows("SELECT count() AS n FROM ticks WHERE symbol = %s", ("FILE3",)) == [{"n": 5}]
    assert source.progress.rows == 5
    assert "layout" in (source.progress.last_error or "")
    assert "layout" in str(source.progress.health())
    hot.close()


def test_without_a_refusal_the_process_is_well(engines, tmp_path: Path):
    empty = tmp_path / "2026-10-02_FILE3.txt"
    empty.write_text(HEADER, encoding="utf-8")
    hot = stores.hot(engines)
    source = FileSource([empty], hot, stores.warm(engines), tmp_path, threading.Event())

    source.run()

    assert source.progress.health() is True
    hot.close()
