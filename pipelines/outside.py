"""What the pipelines touch beside the stores, made from the settings: the drop folder, B3's site, alert addresses."""

from config.settings import Settings
from pipelines.alerts import Alerts
from sql.b3_nightly import Feed
from sql.inbox import Inbox


def places(settings: Settings) -> dict[str, Inbox | Feed | Alerts]:
    """By the names that ops, schedules and sensors ask for; making them opens nothing."""
    b3 = settings.b3
    return {
        "inbox": Inbox(settings.inbox_dir, settings.data_dir),
        "feed": Feed(
            symbols=b3.symbols,
            base_url=b3.base_url,
            folder=settings.inbox_dir,
            timeout_seconds=b3.timeout_seconds,
            fill=b3.fill,
            stamp=settings.data_dir / "stamp.json",
        ),
        "alerts": Alerts(settings.alert_urls, settings.url("dagster")),
    }
