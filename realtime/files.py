"""A source that is a list of B3 files: imported once, at the start of the process."""

import threading
from pathlib import Path

import structlog
from msgspec import Struct

from sql.b3_files import RefusedFileError, import_file
from sql.errors import StoreError
from sql.hot import HotStore
from sql.warm import WarmStore

RETRY_SECONDS = 1.0

log = structlog.get_logger("realtime")


class Progress(Struct):
    """What a source of files has done; read by health and metrics."""

    rows: int = 0
    failures: int = 0
    last_error: str | None = None
    finished: bool = False

    def health(self) -> bool | str:
        """Well while it works and when all files are in; otherwise why not."""
        return self.last_error or True


class FileSource:
    """Imports files one after the other; one that is refused is logged and makes the process unhealthy."""

    def __init__(
        self, files: list[Path], hot: HotStore, warm: WarmStore, data_dir: Path, stop: threading.Event
    ) -> None:
        self.progress = Progress()
        self._files = files
        self._hot = hot
        self._warm = warm
        self._data_dir = data_dir
        self._stop = stop

    def run(self) -> None:
        """Import everything, then stand. A store that is away is waited for: an import can be repeated."""
        refused: list[str] = []
        for path in self._files:
            try:
                self._import(path)
            except RefusedFileError as error:
                refused.append(str(error))
                log.warning("file_refused", file=path.name, reason=str(error))
            if self._stop.is_set():
                return
        self.progress.last_error = "; ".join(refused) or None
        self.progress.finished = True

    def _import(self, path: Path) -> None:
        while not self._stop.is_set():
            try:
                report = import_file(path, self._hot, self._warm, self._data_dir)
            except RefusedFileError:
                raise
            except StoreError as error:
                self.progress.failures += 1
                self.progress.last_error = str(error)
                log.warning("import_tried_again", file=path.name, reason=str(error))
                self._stop.wait(RETRY_SECONDS)
                continue
            self.progress.rows += report.new
            log.info("file_imported", file=path.name, new=report.new, repeated=report.repeated, refused=report.refused)
            return
