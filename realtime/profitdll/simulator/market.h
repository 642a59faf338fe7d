/* What the market half shares among its own files. */
#ifndef SIM_MARKET_H
#define SIM_MARKET_H

#include "simulator.h"

enum { DAY_MS = 86400000, DAY_SECONDS = 86400, MAX_SYMBOLS = 64, RECENT = 512, MADE = 4096 };

/* ---- prints: trades as the exchange makes them -------------------------------------------------------------- */
enum { PRINT_EDIT = 1, PRINT_LAST = 2, PRINT_UNTRANSLATABLE = 4, PRINT_SENTINEL = 8, PRINT_CACHED = 16,
       PRINT_REPEATED = 32 };
enum { CAUSE_NONE, CAUSE_DROP, CAUSE_SKIP, CAUSE_DUPLICATE, CAUSE_OVERFLOW, CAUSE_UNSUBSCRIBED, CAUSE_EDIT, CAUSE_CANCEL,
       CAUSE_SENTINEL, CAUSE_UNTRANSLATABLE, CAUSE_CACHED, CAUSE_FILL };

typedef struct Print {
    int64_t time_ms;
    double price;
    int64_t quantity;
    double volume;
    uint32_t number;
    uint32_t index; /* position in the session, from 0 */
    int32_t buy_agent, sell_agent;
    int16_t symbol;
    uint8_t type;
    uint8_t flags;
    uint8_t cause; /* why numbers before it are missing or this one comes again */
} Print;

typedef struct Totals { /* of one session */
    int64_t trades, quantity, buyer_quantity, seller_quantity, buyer_trades, seller_trades;
    int64_t turnover, buyer_turnover, seller_turnover; /* ticks times quantity: exact, unlike sums of doubles */
    int64_t open, high, low, close;                    /* ticks */
} Totals;

typedef struct Offer {
    int64_t id;
    int64_t quantity;
    int32_t ticks; /* price in ticks */
    int32_t agent;
} Offer;

enum { EVENT_TICKER = 24 };
enum { MAX_OFFERS = 128, MAX_LEVELS = 64 };
typedef struct Level {
    double price;
    int64_t quantity;
    uint32_t count;
} Level;

typedef struct Book {
    Offer offer[2][MAX_OFFERS]; /* best first; side 0 buys, 1 sells */
    int32_t offers[2];
    Level posted[2][MAX_LEVELS]; /* what the client will know when all queued events are delivered */
    int32_t posted_levels[2];
    Level seen[2][MAX_LEVELS]; /* what was delivered to the client: the accessors' book */
    int32_t levels[2];
    bool theoretical;
    double theoretical_price;
    int64_t theoretical_quantity;
    int64_t next_id;
    uint64_t random;
    double due; /* fractional events owed */
    bool filled, depth, offers_wanted, price_book, stale;
} Book;

typedef struct Symbol {
    int16_t index;
    char name[SIM_TICKER];
    char16_t ticker[SIM_TICKER];
    char16_t exchange[2];
    char root[8];      /* of futures: WIN */
    char text[64];
    double price, tick, multiplier, rate;
    int64_t lot;
    int32_t security, sub_type;
    int32_t expiry;    /* session date, 0: none */
    int32_t rolled;    /* session date since which it counts as expired by the script */
    int16_t follows;   /* of aggregated tickers, else -1 */
    int16_t follower;  /* the aggregated ticker that shows these trades, else -1 */
    bool aggregated;
    uint32_t step;
    /* the exchange's side */
    Totals totals, closed;           /* of the session; of the last one before it that had trades */
    int32_t session, closed_session; /* theirs; 0: not counted yet */
    int64_t closed_ms;               /* time of its last trade */
    double closed_before;            /* the close of the session before that */
    Print last;
    Print *made; /* of a tape: the newest by number, for its edits */
    double bid, ask, previous_close;
    int64_t halted_until_ms; /* the script owns the state until then */
    int32_t state;
    /* the client's side */
    bool subscribed, adjusts, close_asked;
    uint8_t cause;
    int64_t skip;      /* trades to swallow */
    int64_t lose, repeat; /* of the last drop; lose -1: whatever the outage took */
    bool resumes;
    Print sent;        /* last trade queued */
    Print *recent;     /* ring of RECENT sent */
    uint32_t recents;
    bool history_asked;
    Book *book;
    /* the connector's side: entry of the proof file, -1 none */
    int32_t entry;
    int64_t entry_day;
    bool taped; /* its numbers come from a file */
} Symbol;

/* ---- settings of the script ------------------------------------------------------------------------------------ */
enum { SOURCE_GENERATOR, SOURCE_LOAD, SOURCE_TAPE };
typedef struct Settings {
    uint64_t seed;
    double speed; /* 0: as fast as possible */
    int32_t source;
    char tape[512];
    char emitted[512];
    double load_rate; /* 0: as fast as possible */
    double load_seconds;
    int64_t load_count;
    double quantum_us, settle_ms;
    int64_t start_ms, stop_ms; /* market clock; INT64_MIN: wall clock, never */
    int64_t anchor_ms;         /* UTC at which the market clock stood at `start`; INT64_MIN: the login */
    int32_t open_s, close_s, auction_s, pre_opening_s;
    bool weekdays;
    bool quotes;           /* best prices, last quotes and books follow from trades */
    int64_t await_symbols; /* so many are subscribed when a tape or load begins */
    bool stamp; /* the volume of a trade is the instant of its delivery */
    int32_t login;      /* LOGIN_*; -1: second process on one key */
    int32_t activation;
    double handshake_ms;
    bool stall;         /* null daily, progress or tiny book stalls the handshake */
    bool strict;
    bool overflow_drop;
    int64_t queue, slow_at;
    double watchdog_ms, daily_every_s;
    double depth_rate;
    double history_rate, history_stuck_ms;
    int64_t history_truncate, history_sentinels, history_untranslatable, history_days, history_lose;
    char history_denied[16][SIM_TICKER]; /* symbols, or `all` */
    int32_t history_denials;
    char16_t separator;
    uint32_t step;
    double default_rate; /* of each symbol of the universe; 0: its own */
    bool print_fills, resubscribe;
    double broker_delay_ms;
} Settings;
Settings *settings(void);

/* clock.c */
void clock_begin(void);
int64_t clock_of_market(int64_t market_ms); /* running clock at which the market clock shows it */
void clock_jump(int64_t market_ms);         /* the market clock shows this from now on */
void clock_pass(double seconds);             /* so much of the running clock passes at once */
void clock_follow(int64_t market_ms);       /* unpaced sources carry the clock along */
int64_t date_days(int32_t session);         /* days since 1970 */
int32_t days_date(int64_t days);
int64_t date_ms(int32_t session);

/* queue.c */
void queue_begin(int64_t capacity);
void queue_end(void); /* delivers what is left, then joins */
void queue_hold(void);
void queue_release(void);
int64_t queue_depth(void);
bool queue_make_room(void); /* drops oldest book events when full; false: still full */
void queue_wait_room(int64_t ns);
void queue_pause(int64_t ns); /* the connector stands still */
void *queue_inline(SimKind kind, SimDeliver deliver, size_t size); /* inside hold/release: fill in place */
bool queue_busy_since(int64_t *since_ns); /* a callback runs since */

/* timers.c */
void timers_begin(void);
void timers_end(void);
int64_t timers_next(void);
int64_t timers_waiting(void); /* without the two that always come again; under the lock */
bool timers_run_one(int64_t now);
void server_wake(void);

/* session.c */
bool session_ready(void); /* initialised and not finalised */
void session_block_calls(double seconds);
void session_health(int32_t health);
int32_t session_fail(const char *format, ...);

/* assets.c */
void assets_begin(void);
const char *assets_add(const char *name, char exchange, double price, double tick, int64_t lot, double rate);
Symbol *symbol_at(int32_t index);
int32_t symbol_count(void);
Symbol *symbol_named(const char *name);
int32_t symbol_find(PText ticker, PText exchange, Symbol **symbol); /* as sim_market */
int16_t symbol_source(const Symbol *symbol, int32_t session); /* whose trades it shows on that session */
bool symbol_over(const Symbol *symbol, int32_t session); /* its last session is before */
bool symbol_expired(const Symbol *symbol, int32_t session); /* or it was rolled */
void assets_session(int32_t session);
const char *assets_roll(const char *root);
TAssetIDRec asset_record(const char16_t *ticker, const char16_t *exchange);
TConnectorAssetIdentifier asset_identifier(const char16_t *ticker, const char16_t *exchange);

/* agents.c */
int32_t agent_code(uint64_t random);

/* generator.c */
void generator_begin(void);
int32_t generator_second(const Symbol *symbol, int32_t session, int32_t second, Print *prints, int32_t room);
int32_t generator_count(const Symbol *symbol, int32_t session, int32_t second);
void generator_totals(const Symbol *symbol, int32_t session, int32_t until_second, Totals *totals);
uint32_t generator_before(const Symbol *symbol, int32_t session, int32_t second); /* trades before it */
int32_t generator_second_of(const Symbol *symbol, int32_t session, uint32_t index);
double generator_mid(const Symbol *symbol, int32_t session, int32_t second);
void generator_halt(const Symbol *symbol, int64_t from_ms, int64_t until_ms, bool auction);
bool generator_last(const Symbol *symbol, int32_t session, int32_t second, Print *print); /* before that second */
bool generator_print(const Symbol *symbol, int32_t session, uint32_t index, Print *print); /* one trade of it */
typedef struct Pattern { /* one step of the repeating walk inside a second */
    int32_t ticks, lots;
    uint8_t type;
} Pattern;
const Pattern *generator_pattern(uint32_t table, uint32_t at);
uint64_t mixed(uint64_t value);

/* load.c */
void load_begin(void);
int64_t load_due(void);
int32_t load_run(int64_t now, int32_t most);
bool load_running(void);
bool load_print(const Symbol *symbol, uint64_t index, Print *print);

/* tape.c */
const char *tape_open(const char *path);
int64_t tape_due(void);
int32_t tape_run(int64_t now, int32_t most);
bool tape_history(const Symbol *symbol, uint64_t *cursor, int64_t from_ms, int64_t until_ms, Print *print);
void tape_close(void);

/* feed.c */
void feed_begin(void);
void feed_end(void);
void feed_print(const Print *print); /* one trade of a source symbol happens now */
void feed_day(int32_t session);
void feed_day_change(void);
void feed_last_word(void); /* the daily sums of all that is subscribed: a load or a tape has ended */
bool feed_closed(Symbol *source); /* whether its `closed` tells of an earlier session */
bool feed_settled(void);
void feed_settle(void);
void feed_allow(int64_t trades); /* the source makes no more than so many, until more are allowed */
void feed_state(Symbol *symbol, int32_t state);

/* trades.c */
void trade_post(Symbol *target, const Print *print, uint8_t flags, uint8_t cause);
void trade_history_post(Symbol *target, const Print *print, uint8_t flags);
void totals_add(Totals *totals, const Print *print);
void totals_change(Totals *totals, const Print *print, int64_t before, int64_t after); /* another quantity; 0: none */
void trade_repeat(Symbol *target, int64_t count, uint8_t cause);

/* revisions.c */
void revisions_begin(void);
int64_t revised_quantity(const Print *made);               /* what a trade's quantity is by now; 0: taken back */
int64_t revise_trade(const Print *made, bool cancels);     /* the same, after this */
void revisions_apply(const Symbol *symbol, int32_t session, Totals *totals); /* to sums of trades as they were made */
void revisions_made(const Print *made); /* to the sums, when a trade is made that an earlier process revised */

/* ticker.c: daily, tiny book, quote, state, theoretical, invalid ticker, info, adjust */
void post_daily(Symbol *symbol);
void post_tiny(Symbol *symbol, int32_t side);
void post_quote(Symbol *symbol, const Print *print);
void post_asset_state(Symbol *symbol);
void post_theoretical(Symbol *symbol, double price, int64_t quantity);
void post_invalid(PText ticker, PText exchange);
void post_info(Symbol *symbol);
void post_adjust(Symbol *symbol, double value, const char *type, uint32_t flags, double multiplier);
void post_progress(Symbol *symbol, int32_t percent);
void adjusts_add(Symbol *symbol, double value, const char *type, uint32_t flags, double multiplier);
void post_adjusts(Symbol *symbol);
double adjusts_factor(const Symbol *symbol);

/* subscriptions.c */
void subscriptions_drop(int64_t lose, int64_t repeat);
void subscriptions_resume(void); /* as if the client had asked again */
int32_t subscriptions_count(void);

/* books.c, depth.c, offers.c */
void book_print(Symbol *symbol, int32_t aggressor);
void book_churn(Symbol *symbol, int32_t events);
void book_touch(Symbol *symbol);
void book_begin(Symbol *symbol);
void book_drop(Symbol *symbol);
double offer_price(const Symbol *symbol, const Offer *offer);
int32_t book_levels(const Symbol *symbol, int32_t side, Level levels[MAX_LEVELS]);
void depth_full(Symbol *symbol);
void depth_changes(Symbol *symbol); /* brings the client's book up to the exchange's */
void depth_theoretical(Symbol *symbol);
void depth_dropped(void *payload); /* a book event was lost: its first member is the Symbol */
void price_book_full(Symbol *symbol);
void price_book_event(Symbol *symbol, int32_t action, int32_t position, int32_t side, const Level *level);
void offers_full(Symbol *symbol);
void offers_event(Symbol *symbol, int32_t action, int32_t position, int32_t side, int64_t quantity, const Offer *offer);
void arrays_report(void);
void *array_allocate(size_t size);

/* faults.c, script.c, order_lines.c */
typedef struct Range {
    double low, high;
} Range;
bool script_range(const char *word, Range *range);
const char *script_load(const char *path);
const char *script_line(char *line, bool running); /* null, or what is wrong */
void faults_begin(void);
enum { WHEN_NOW, WHEN_AT, WHEN_EVERY, WHEN_RANDOM };
const char *fault_line(int32_t words, char *word[], int32_t when, Range seconds, bool running);
bool order_line(int32_t words, char *word[], const char **wrong); /* false: another verb */

/* emitted.c */
const char *emitted_open(const char *path);
void emitted_run(void);
void emitted_trade(Symbol *symbol, const Print *print, int64_t session);
void emitted_close(void);
typedef void (*EmittedRevision)(const char *ticker, int32_t session, uint32_t number, bool cancelled);
void emitted_revisions(EmittedRevision take); /* those that any process told, in their order */
uint32_t emitted_last(const Symbol *symbol, int32_t session); /* of any run; 0 */

/* history.c */
void history_drop(void); /* answers on their way end here */

#endif
