"""A source that is a list of B3 files: imported once, at the start of the process."""

import datetime as dt
from pathlib import Path

import structlog

from realtime.feed import Progress
from sql import b3_files
from sql.hot import HotStore
from sql.warm import WarmStore

log = structlog.get_logger("realtime")


class FileSource:
    """Imports files one after the other; a file that is refused is logged and makes the process unhealthy."""

    def __init__(self, files: list[Path], hot: HotStore, warm: WarmStore, data_dir: Path) -> None:
        self.progress = Progress()
        self._files = files
        self._hot = hot
        self._warm = warm
        self._data_dir = data_dir

    def run(self) -> None:
        """Import everything, then stand."""
        for path in self._files:
            report = b3_files.import_file(path, self._hot, self._warm, self._data_dir)
            self.progress.rows += report.new
            self.progress.stored_until = dt.datetime.now(dt.UTC)
            log.info("file_imported", file=path.name, new=report.new, repeated=report.repeated)
        self.progress.finished = True
