"""The stores as parameters of assets, checks, schedules and sensors.

Dagster reads annotations when it loads; the classes behind these bring drivers that only a run needs.
"""

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from sql.cold import ColdStore
    from sql.hot import HotStore
    from sql.warm import WarmStore

    Hot = dg.ResourceParam[HotStore]
    Warm = dg.ResourceParam[WarmStore]
    Cold = dg.ResourceParam[ColdStore]
else:
    Hot = Warm = Cold = dg.ResourceParam[object]
