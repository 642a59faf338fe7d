/* The contract between the files of the simulator: lock, event queue, timers, market lookup, hooks, faults, counters.
 *
 * Threads: client threads call exports; one *server* thread (the exchange: generator, timers, matching) makes events;
 * one *connector* thread delivers them, in order, one at a time. sim_lock() guards all state and is recursive. It is
 * never held while a client's callback runs. Posting never waits, so it is allowed under the lock. */
#ifndef SIMULATOR_H
#define SIMULATOR_H

#include <stdatomic.h>
#include <stdbool.h>

#include "platform.h"
#include "profitdll.h"

enum { SIM_TICKER = 32, SIM_TEXT = 128 };

/* ---- the lock ------------------------------------------------------------------------------------------------- */
void sim_lock(void);
void sim_unlock(void);

/* ---- clocks ----------------------------------------------------------------------------------------------------
 * sim_now(): market clock, milliseconds since 1970-01-01 00:00 of the naive Sao Paulo clock; in the script's hands.
 * sim_clock_ns(): running clock of timers: starts at 0 with the process, times `speed`, never jumps. */
int64_t sim_now(void);
int64_t sim_clock_ns(void);
TSystemTime sim_system_time(int64_t market_ms);
int64_t sim_market_ms(const TSystemTime *time);      /* INT64_MIN when not a date */
enum { SIM_DATE = 24 };                              /* "DD/MM/YYYY HH:mm:SS.ZZZ" and its NUL */
void sim_date_text(int64_t market_ms, char16_t into[SIM_DATE]); /* honours `millisecond-separator` */
int32_t sim_session_date(int64_t market_ms);         /* 20261120 */

/* ---- events ---------------------------------------------------------------------------------------------------- */
typedef enum SimKind {
    SIM_STATE, SIM_HEALTH, SIM_ACCOUNT, SIM_TRADE, SIM_HISTORY, SIM_PROGRESS, SIM_DAILY, SIM_TINY, SIM_DEPTH,
    SIM_OFFER, SIM_PRICE_BOOK, SIM_THEORETICAL, SIM_QUOTE, SIM_ASSET_STATE, SIM_INVALID_TICKER, SIM_ASSET_LIST,
    SIM_ASSET_INFO, SIM_ADJUST, SIM_ORDER, SIM_ORDER_HISTORY, SIM_POSITION, SIM_MESSAGE, SIM_BROKER_ACCOUNTS,
    SIM_KINDS
} SimKind;

/* Runs on the connector thread, without the lock; the callback it calls is read then, from sim_callbacks(). Text must
 * lie inside the payload (arrays), never behind pointers of its own: the payload is poisoned and freed afterwards. */
typedef void (*SimDeliver)(void *payload);
/* Runs on the server thread, under the lock. */
typedef void (*SimTask)(void *payload);

void sim_post(SimKind kind, SimDeliver deliver, const void *payload, size_t size);
void sim_post_at(int64_t due_clock_ns, SimKind kind, SimDeliver deliver, const void *payload, size_t size);
void sim_run_at(int64_t due_clock_ns, SimTask task, const void *payload, size_t size);
#define SIM_AFTER_MS(ms) (sim_clock_ns() + (int64_t)((ms)*1e6))
bool sim_on_connector(void);

/* ---- callbacks: every setter is in callbacks.c --------------------------------------------------------------- */
typedef struct SimCallbacks {
#define SIM_SLOT(name, type, slot) _Atomic(type) slot;
    PROFIT_SETTERS(SIM_SLOT)
#undef SIM_SLOT
} SimCallbacks;
SimCallbacks *sim_callbacks(void);
/* TTradeCallbackV2 call = SIM_CALLBACK(trade_v2); if (call) call(...); */
#define SIM_CALLBACK(slot) atomic_load_explicit(&sim_callbacks()->slot, memory_order_acquire)

/* ---- session ------------------------------------------------------------------------------------------------- */
int32_t sim_state(int32_t type);                  /* the last state queued, -1 before any */
void sim_post_state(int32_t type, int32_t result); /* queues and latches it */
bool sim_market_only(void);
bool sim_order_history_enabled(void); /* SetEnabledHistOrder */
bool sim_day_trade_enabled(void);     /* SetDayTrade */
uint64_t sim_seed(void);
uint64_t sim_random(uint64_t *state); /* splitmix64; keep one state per purpose */

/* ---- request entry --------------------------------------------------------------------------------------------- */
int32_t sim_enter(const char *function, bool routing); /* NL_OK or the refusal; waits while a hang is on */
int32_t sim_enter_accessor(const char *function);      /* allowed inside callbacks */
#define SIM_REQUEST(function)                               \
    do {                                                    \
        int32_t refusal_ = sim_enter(function, false);      \
        if (refusal_ != NL_OK) return refusal_;             \
    } while (0)
#define SIM_ROUTING_REQUEST(function) /* and NL_MARKET_ONLY */ \
    do {                                                    \
        int32_t refusal_ = sim_enter(function, true);       \
        if (refusal_ != NL_OK) return refusal_;             \
    } while (0)
#define SIM_ACCESSOR(function)                              \
    do {                                                    \
        int32_t refusal_ = sim_enter_accessor(function);    \
        if (refusal_ != NL_OK) return refusal_;             \
    } while (0)

/* ---- text ------------------------------------------------------------------------------------------------------- */
size_t sim_length(PText text);                                     /* 0 for null */
void sim_copy(char16_t *into, size_t units, PText text);           /* truncates, always ends with NUL */
void sim_widen(char16_t *into, size_t units, const char *utf8);    /* UTF-8 to UTF-16 */
void sim_narrow(char *into, size_t size, PText text);              /* UTF-16 to UTF-8 */
bool sim_same(PText one, PText other);
/* The two-call pattern: writes the text when the buffer and its length allow, then the length needed. */
void sim_text_out(char16_t *buffer, int32_t *length, PText text);

/* ---- market lookup ---------------------------------------------------------------------------------------------- */
typedef struct SimMarket {
    int32_t symbol; /* index, stable while the process lives */
    char16_t ticker[SIM_TICKER];
    char16_t exchange[2];
    char16_t contract[SIM_TICKER]; /* of an aggregated ticker: the dated contract it follows, else the ticker */
    double tick;
    double multiplier; /* money per point and contract */
    int64_t lot;
    double last, bid, ask;   /* 0 when there was none */
    double previous_close;
    int32_t state;    /* 5.6: orders match only in ASSET_OPENED */
    bool aggregated;  /* WINFUT and such: no orders */
    bool expired;
} SimMarket;
/* NL_OK, NL_EXCHANGE_UNKNOWN, NL_INVALID_TICKER or NL_INVALID_ARGS. Exchange may be null or empty: any. */
int32_t sim_market(PText ticker, PText exchange, SimMarket *market);
bool sim_market_of(int32_t symbol, SimMarket *market);

/* What the matching engine is told, on the server thread, under the lock. quantity 0: only the quote or state moved. */
typedef struct SimTick {
    int32_t symbol;
    double price;
    int64_t quantity;
    double bid, ask;
    int32_t aggressor; /* SIDE_BUY, SIDE_SELL or 0 */
    int64_t time_ms;
} SimTick;

/* The trading half, which defines `sim_trading`; the market half knows no more of it than this.
 * All run under the lock; any member may be null. */
typedef struct SimTrading {
    void (*start)(void);                              /* after the script was read, before any event */
    void (*stop)(void);                               /* at DLLFinalize, after the last event */
    void (*on_tick)(const SimTick *tick);             /* sim_on_trade: every trade and quote of every symbol */
    void (*on_state)(int32_t type, int32_t result);   /* a state was queued: (1,5) sends the accounts */
    void (*on_day)(int32_t session_date);             /* a new session began */
    const char *(*command)(int32_t words, char *word[]); /* script verb `order ...` at run time; null or what is wrong */
} SimTrading;
extern const SimTrading sim_trading;
void sim_on_trade(const SimTick *tick); /* calls sim_trading.on_tick */
/* A fill printed on the tape: the order's trade appears among the market's trades of that symbol. */
void sim_print_trade(int32_t symbol, double price, int64_t quantity, int32_t buy_agent, int32_t sell_agent,
                     int32_t aggressor);

/* ---- order scenarios, filled by the script parser ------------------------------------------------------------- */
typedef struct SimFault { /* strikes the next `left` orders (-1: all), each with chance 1 in `one_in` */
    int32_t left;
    int32_t one_in;
    int64_t least, most; /* of their quantity; both 0: any */
} SimFault;
bool sim_strikes(SimFault *fault, int64_t quantity); /* under the lock; seeded */

typedef enum SimStuck { SIM_STUCK_NOT, SIM_STUCK_SENT, SIM_STUCK_PENDING } SimStuck;
typedef enum SimRace { SIM_RACE_NONE, SIM_RACE_FILL_FIRST, SIM_RACE_CANCEL_FIRST, SIM_RACE_REMAINDER } SimRace;

typedef struct SimOrderFaults {
    SimFault reject;
    int32_t reject_code;      /* MESSAGE_NOT_CONNECTED 1, 3, 5, 7, 9 or 24 */
    char16_t reject_text[SIM_TEXT];
    SimFault refuse;          /* SendOrder itself says no */
    int32_t refuse_code;      /* of section 6, without its offset */
    SimFault slow;            /* SendOrder returns late */
    double slow_ms;
    bool slow_after;          /* the order has left meanwhile; otherwise it leaves at the end */
    SimFault silent_drop;     /* chain stops after message 4 */
    SimFault mute;            /* it lives at the broker and nothing of it is told before the next load */
    SimFault expire;          /* the broker ends it so long after it was accepted */
    double expire_ms;
    SimFault stuck;           /* cancels and changes of it are taken and never concluded */
    SimStuck stuck_where;     /* after message 4, or once they are shown as pending */
    SimFault partial;
    int32_t split[8];         /* per cent of the quantity, in order; the rest comes last */
    int32_t splits;
    bool split_stays;         /* what is left after the parts is not traded */
    int32_t improvement_ticks; /* price improvement on limit orders */
    SimFault cancel_race;
    SimRace race;
    SimFault duplicate;       /* each order callback 2..5 times */
    int32_t duplicate_min, duplicate_max;
    SimFault newer_details;   /* event queued, details already newer */
    SimFault late_status;     /* a status older than the last, afterwards */
    SimFault skip_statuses;   /* straight from 203 to Filled */
    double not_found_ms;      /* GetOrderDetails answers NL_NOT_FOUND so long after an event; 0: off */
    double first_ms;          /* SendOrder to the first callback */
    double step_ms;           /* between the steps of the chain */
    double fill_min_ms, fill_max_ms;
    double cancel_min_ms, cancel_max_ms;
    double refusal_ms;        /* aggregated ticker in an order */
    int32_t orders_per_day, orders_per_minute; /* 0: no limit */
    double accounts_ms;       /* (1,5) to the first accounts */
    double accounts_rest_ms;  /* until the rest of the list and its event */
    int32_t accounts_first;   /* how many the partial list holds */
    char16_t routing_password[SIM_TEXT]; /* empty: any is right */
    double history_ms;        /* load time of HasOrdersInInterval */
    bool fill_at_touch;       /* limit orders fill when touched; otherwise when traded through */
} SimOrderFaults;
SimOrderFaults *sim_order_faults(void); /* never null; read and changed under the lock */

typedef struct SimAccount {
    int32_t broker;
    char16_t broker_name[SIM_TEXT];
    char16_t account[100];
    char16_t sub_account[100]; /* empty: none */
    char16_t holder[SIM_TEXT];
    int32_t type;   /* 5.7 */
    uint32_t flags; /* 5.7 */
} SimAccount;
int32_t sim_accounts(const SimAccount **accounts); /* count of those the script named; 0: the default of accounts.c */

/* ---- counters ----------------------------------------------------------------------------------------------------- */
enum { SIM_FUNCTIONS = 96 };
typedef struct SimCountersTable {
    int64_t size; /* of this struct, written by SimCounters */
    int64_t queue_depth, queue_max, queue_capacity;
    int64_t delivered[32]; /* per SimKind */
    int64_t longest_callback_ns;
    int64_t connector_requests; /* requests made from the connector thread */
    int64_t stale_translations;
    int64_t arrays_outstanding, arrays_allocated, double_frees, wrong_sizes;
    int64_t version_errors;
    int64_t dropped[32]; /* per SimKind */
    int64_t trades_made, trades_silent; /* by the source; of them nobody subscribed */
    int64_t overdue_ns;  /* how far the server thread ran behind its clock, at most */
    int64_t waits;       /* times the server waited for room in the queue */
    int64_t load_done;   /* 1 when `rate ... for` or the tape has ended */
    int64_t callbacks_without_slot;
    int64_t timers_waiting; /* what is still to come without anybody's doing, trades, books and daily bars apart */
    int64_t reserved[15];
} SimCountersTable;
SimCountersTable *sim_counters(void);
#define SIM_COUNT(field) atomic_fetch_add_explicit((_Atomic int64_t *)&sim_counters()->field, 1, memory_order_relaxed)
void sim_count_request(const char *function);
void sim_version_error(void);

#endif
