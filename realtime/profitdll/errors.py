"""What can go wrong at the border of ProfitDLL, and the one table that translates its codes.

ProfitDllError
    LibraryError         the DLL cannot be used here: missing, of another width, without a function
    AssemblyError        our C# assembly is missing, stale, or sees other layouts
    RuntimeMissingError  no .NET runtime
    WrongThreadError     a call of the life-cycle from another thread than the one that connected
    ResultError          the DLL answered a call with an error code
        RetryLaterError     the answer is on its way: ask again
        ReconnectFirstError no session: ask again when the states say connected
        NeverRetryError     the same request will be refused again
        NothingDoneError    a definite no for this state of things: nothing was done
        AmbiguousError      the code does not say whether anything was done
"""

OFFSET = -(2**31)  # a result is this plus the code

NAMES = {
    0x01: "NL_INTERNAL_ERROR",
    0x02: "NL_NOT_INITIALIZED",
    0x03: "NL_INVALID_ARGS",
    0x04: "NL_WAITING_SERVER",
    0x05: "NL_NO_LOGIN",
    0x06: "NL_NO_LICENSE",
    0x07: "NL_PASSWORD_HASH_SHA1",
    0x08: "NL_PASSWORD_HASH_MD5",
    0x09: "NL_OUT_OF_RANGE",
    0x0A: "NL_MARKET_ONLY",
    0x0B: "NL_NO_POSITION",
    0x0C: "NL_NOT_FOUND",
    0x0D: "NL_VERSION_NOT_SUPPORTED",
    0x0E: "NL_OCO_NO_RULES",
    0x0F: "NL_EXCHANGE_UNKNOWN",
    0x10: "NL_NO_OCO_DEFINED",
    0x11: "NL_INVALID_SERIE",
    0x12: "NL_LICENSE_NOT_ALLOWED",
    0x13: "NL_NOT_HARD_LOGOUT",
    0x14: "NL_SERIE_NO_HISTORY",
    0x15: "NL_ASSET_NO_DATA",
    0x16: "NL_SERIE_NO_DATA",
    0x17: "NL_HAS_STRATEGY_RUNNING",
    0x18: "NL_SERIE_NO_MORE_HISTORY",
    0x19: "NL_SERIE_MAX_COUNT",
    0x1A: "NL_DUPLICATE_RESOURCE",
    0x1B: "NL_UNSIGNED_CONTRACT",
    0x1C: "NL_NO_PASSWORD",
    0x1D: "NL_NO_USER",
    0x1E: "NL_FILE_ALREADY_EXISTS",
    0x1F: "NL_INVALID_TICKER",
    0x20: "NL_NOT_MASTER_ACCOUNT",
    0x2E: "NL_HISTORY_PERIOD_LIMIT",
}
NO_POSITION, NOT_FOUND = OFFSET + 0x0B, OFFSET + 0x0C


class ProfitDllError(Exception):
    """Anything of this border."""


class LibraryError(ProfitDllError):
    """The DLL cannot be used here."""


class AssemblyError(ProfitDllError):
    """Our C# assembly is missing, stale, or sees other layouts than Python."""


class RuntimeMissingError(ProfitDllError):
    """No .NET runtime was found."""


class WrongThreadError(ProfitDllError):
    """Connecting and closing belong to one thread."""


class ResultError(ProfitDllError):
    """A call was answered with `code` (negative, as the DLL gave it); `name` is its name in the manual."""

    def __init__(self, call: str, code: int) -> None:
        self.call, self.code = call, code
        self.name = NAMES.get(code - OFFSET, "a code the manual does not list")
        super().__init__(f"{call}: expected NL_OK, found {code} (0x{code & 0xFFFFFFFF:08X}, {self.name})")


class RetryLaterError(ResultError):
    """The DLL is waiting for its server. The same request may be repeated and will be answered then."""


class ReconnectFirstError(ResultError):
    """There is no session. Nothing was done; repeat after the next connected state."""


class NeverRetryError(ResultError):
    """Nothing was done and the same request will be refused again."""


class NothingDoneError(ResultError):
    """Nothing was done, for a reason that may change: nothing found, no position."""


class AmbiguousError(ResultError):
    """The code does not say whether the request had an effect. Find out before repeating an order."""


AMBIGUOUS = {0x01}
CLASSES: dict[int, type[ResultError]] = {
    **dict.fromkeys(NAMES, NothingDoneError),
    **dict.fromkeys(AMBIGUOUS, AmbiguousError),
    0x04: RetryLaterError,
    **dict.fromkeys((0x02, 0x05), ReconnectFirstError),
    **dict.fromkeys((0x03, 0x06, 0x0A, 0x0D, 0x0F, 0x12, 0x1F, 0x2E), NeverRetryError),
}


def error_of(call: str, code: int) -> ResultError:
    """The exception for a negative result; codes that are not published are ambiguous."""
    return CLASSES.get(code - OFFSET, AmbiguousError)(call, code)


def checked(call: str, code: int) -> int:
    """`code` itself, a count or an id, unless it is an error."""
    if code < 0:
        raise error_of(call, code)
    return code
