"""The workspace as a service: port 3200, and the gateway."""

from api.kernel.application import Service
from api.kernel.health import Checks
from api.workspace.audit import list_audit
from api.workspace.health import ID, health
from api.workspace.items import create_item, delete_item, get_item, list_items, update_item
from api.workspace.papers import list_papers
from config.settings import Settings
from sql.pool import Pool

DESCRIPTION = """Items of six categories, with priority, status and tags; what became of each of them; product papers.

`GET /api/items` answers all items, as the original did. Filters and pages come on top.
"""


def workspace(settings: Settings) -> Service:
    """The service on the database of `settings`. Opens nothing before the first request."""
    pool = Pool(settings.postgres.dsn("app_workspace", "frontend_apps"), ID)
    return Service(
        id=ID,
        title="Workspace",
        description=DESCRIPTION,
        handlers=[list_items, get_item, create_item, update_item, delete_item, list_audit, list_papers],
        own=[health],
        parts={
            "workspace_pool": pool,
            "workspace_checks": Checks({"postgres": pool.ready}),
            "papers_dir": settings.papers_dir,
        },
        pools=[pool],
        tags={"workspace": "Items, their audit log, product papers"},
    )
