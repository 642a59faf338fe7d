"""What every broker must do, as numbered cases. A second real broker needs one module and these."""

from tests.realtime.orders import broker_cases_end, broker_cases_lists, broker_cases_news, broker_cases_way
from tests.realtime.orders.broker_case import CASES

__all__ = ["CASES", "PARTS"]

PARTS = (broker_cases_way, broker_cases_end, broker_cases_news, broker_cases_lists)  # each adds its own on import
