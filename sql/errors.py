"""What can go wrong between us and the stores.

StoreError
├── StoreUnavailableError   nobody answers; try again later
│   └── UncertainError      the connection broke with a write on its way, which may have been done
├── StatementError          the store refused a statement
├── ConflictError           a constraint of the store forbids the rows
├── UnfitValueError         a value that the store cannot hold: too long, out of range, a NUL
├── SuspendedError          a QuestDB table takes writes and applies none
├── DriftError              a stored table differs from its contract
├── AlteredError            a tier holds other rows than its receipt says
└── DamagedError            a file of the cold tier is torn or not what its name says
"""


class StoreError(Exception):
    """Something went wrong with a store. The message says what was expected, what was found, and where."""


class StoreUnavailableError(StoreError):
    """The store does not answer; nothing is known about the last statement."""


class UncertainError(StoreUnavailableError):
    """The connection broke while a write was on its way: it may have been done."""


class StatementError(StoreError):
    """The store refused a statement."""


class ConflictError(StoreError):
    """A constraint forbids the rows; `constraint` is its name where the store tells it."""

    def __init__(self, message: str, constraint: str | None = None) -> None:
        super().__init__(message)
        self.constraint = constraint


class UnfitValueError(StoreError):
    """A value that the store cannot hold: text too long or with a NUL, a number out of range."""


class SuspendedError(StoreError):
    """A hot table's write-ahead log is suspended: rows are taken but not shown."""


class DriftError(StoreError):
    """A stored table is not what its contract says; every difference is one line of `differences`."""

    def __init__(self, differences: list[str]) -> None:
        super().__init__("the stored tables differ from their contracts:\n  " + "\n  ".join(differences))
        self.differences = differences


class DamagedError(StoreError):
    """A file of the cold tier cannot be read."""


class AlteredError(StoreError):
    """Rows were changed by a way that leaves no receipt; nothing was written over what is good."""
