"""What a constraint of the database means to a caller."""

from collections.abc import Iterator
from contextlib import contextmanager

from litestar.exceptions import ClientException, HTTPException, NotFoundException

from sql.errors import ConflictError


class TakenError(ClientException):
    """409: somebody has this already."""

    status_code = 409


MEANING: dict[str, tuple[type[HTTPException], str]] = {
    "documentation_systems_name_key": (TakenError, "a system of this name exists already"),
    "documentation_ideas_system_id_fkey": (NotFoundException, "system not found: no system has this system_id"),
    "documentation_links_system_id_fkey": (NotFoundException, "system not found: no system has this system_id"),
    "documentation_files_system_id_fkey": (NotFoundException, "system not found: no system has this system_id"),
    "documentation_files_idea_id_fkey": (NotFoundException, "idea not found: no idea has this idea_id"),
}


@contextmanager
def clashes_told() -> Iterator[None]:
    """Raise what a ConflictError means, where it has a meaning; otherwise the error itself."""
    try:
        yield
    except ConflictError as error:
        kind, words = MEANING.get(error.constraint or "", (None, ""))
        if kind is None:
            raise
        raise kind(detail=words) from error
