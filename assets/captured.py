"""The hot tables as external assets: the realtime process and the imports write them, Dagster only shows them."""

from assets.contract import spec_of
from sql.tables import MOVING

assets = [spec_of(table, "hot") for table in MOVING]
