"""Bring the stores of these settings to what this version expects. One place, for `up`, `migrate` and the tests."""

from collections.abc import Callable

from config.settings import Settings


def apply(settings: Settings, report: Callable[[str], None]) -> list[str]:
    """Apply what is missing; the names of what was applied. Safe to run again and by two at once."""
    from sql import stores
    from sql.migrate import migrate

    hot = stores.hot(settings)
    try:
        return migrate(hot, stores.cluster(settings), report)
    finally:
        hot.close()


def pending(settings: Settings) -> list[str]:
    """Names of what `apply` would apply."""
    from sql import stores
    from sql.migrate import pending

    hot = stores.hot(settings)
    try:
        return pending(hot, stores.cluster(settings))
    finally:
        hot.close()
