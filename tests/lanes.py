"""How a run of all tests is dealt to its workers: whole files, those that share what is slow to start as one."""

from xdist.scheduler import LoadFileScheduling

PLATFORM = {f"tests/journeys/test_{name}.py" for name in ("dagster", "spine", "tape")}


class Lanes(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "journeys" if file in PLATFORM else file
