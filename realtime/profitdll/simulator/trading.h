/* The broker's side of the simulator: accounts, orders, matching and positions.
 *
 * Everything here is read and written under the simulator's lock; timers run on the server thread. An order has two
 * faces: `broker` is the truth at the broker, `client` is what the DLL has been told. Callbacks are only queued here
 * (announce.c). Times of orders are those of the market clock in milliseconds, delays run on the clock of timers. */
#ifndef TRADING_H
#define TRADING_H

#include "simulator.h"

enum { ACCOUNT_UNITS = 100, CL_ORD_ID_UNITS = 32, ACCOUNT_LIMIT = 256 };

/* ---- accounts (accounts.c, account_calls.c) ---------------------------------------------------------------------- */

typedef struct Account {
    SimAccount told;
    bool known;                         /* the server has listed it in this login */
    int32_t loaded_from, loaded_to;     /* session dates whose orders the DLL holds; to < from: none */
    int32_t loading_from, loading_to;
    bool loading;
} Account;

Account *account_at(int32_t index); /* all of them, known or not; null after the last */
Account *account_named(int32_t broker, PText id, PText sub_id);
Account *account_of(const TConnectorAccountIdentifier *identifier); /* null unless listed in this login */
bool is_sub_account(const Account *account);
void accounts_started(void);
void accounts_on_routing(void); /* the first (1,5): part of the list, the rest later */
void accounts_gap(void);        /* routing was lost: what the DLL holds may be old */

/* ---- listings: an asset as orders see it (listings.c) -------------------------------------------------------------- */

struct Order;

typedef struct Listing {
    int32_t symbol;
    char16_t ticker[SIM_TICKER], exchange[2];
    double tick;
    bool aggregated;
    struct Order *buys, *sells, *stops; /* working orders, the best or the earliest first */
} Listing;

int32_t listing_found(PText ticker, PText exchange, Listing **listing); /* NL_OK or why not */
Listing *listing_of_symbol(int32_t symbol);                            /* null: never ordered */
int64_t ticks_of(const Listing *listing, double price); /* the nearest whole number of ticks */
bool is_tick_multiple(const Listing *listing, double price);

/* ---- orders (order_store.c) -------------------------------------------------------------------------------------------- */

/* A lost order stopped on its way and nobody will ever hear of it again. */
enum OrderPlace { PLACE_LOCAL, PLACE_SENT, PLACE_WORKING, PLACE_DONE, PLACE_LOST };

typedef struct OrderState {
    uint8_t status, type;
    bool has_cl_ord_id;
    int64_t quantity, traded;
    int64_t traded_ticks; /* sum of price in ticks times quantity, for an exact average */
    double price, stop;
    int64_t updated_at, closed_at; /* 0: not yet */
    PText text;                    /* interned, never freed */
} OrderState;

/* What the script holds in store for one order, drawn when it is sent. */
typedef struct OrderPlan {
    uint8_t reject_code, copies, race, stuck;
    bool dropped, mute, expires, split, stays, skips_statuses, late_status, newer_details;
    PText reject_text;
} OrderPlan;

typedef struct Order {
    int64_t number;   /* in order of creation, from 0 */
    int64_t local_id; /* 0: the DLL does not know it in this login */
    char16_t cl_ord_id[CL_ORD_ID_UNITS];
    Account *account;
    Listing *listing;
    uint8_t side, place;
    bool cancel_pending, replace_pending, triggered, in_book, aggressing;
    int64_t created_at, event_id, message_id;
    int64_t flow_started_ns, hidden_until_ns;
    int64_t limit_ticks, fills, sweeps;
    OrderPlan plan;
    OrderState broker, client, before_last;
    struct Order *next_in_book, *next_by_cl_ord_id;
} Order;

Order *order_created(Account *account, Listing *listing); /* stored; neither sent nor known to the client */
Order *order_number(int64_t number);                      /* null after the last */
Order *order_by_local_id(int64_t local_id);
Order *order_by_cl_ord_id(PText id);
void order_known_to_client(Order *order); /* gives it a LocalOrderID */
void cl_ord_id_assigned(Order *order);
void order_restored(Order *order); /* its ClOrderID is set already */

bool is_terminal(uint8_t status);
bool is_muted(const Order *order);
int64_t leaves_of(const OrderState *state); /* 0 once terminal */
double average_of(const Order *order, const OrderState *state);
PText interned(const char *utf8);
PText interned_units(PText text);

/* ---- chance and time (trading.c) ------------------------------------------------------------------------------------ */

/* In [0, 1), a pure function of seed, order and purpose: no thread can change it by being early. */
enum Chance { CHANCE_FILL_TIME, CHANCE_CANCEL_TIME, CHANCE_LIQUIDITY, CHANCE_COPIES };
double order_chance(const Order *order, enum Chance purpose, int64_t round);

typedef void (*OrderTask)(void *subject, int64_t tag); /* on the server thread, under the lock */
void trading_after(double ms, OrderTask task, void *subject, int64_t tag);
void trading_at(int64_t due_ns, OrderTask task, void *subject, int64_t tag);

bool routing_was_up(void);        /* (1,5) was seen in this login */
bool routing_reaches_server(void);
bool routing_reaches_broker(void);
bool broker_is_down(void); /* behind the order server; a line that fails before it stops nothing that has passed */
bool routing_password_is(PText password);

/* ---- life-cycle (order_flow.c, amend_flow.c) -------------------------------------------------------------------------- */

typedef struct NewOrder {
    Account *account;
    Listing *listing;
    uint8_t type, side;
    double price, stop; /* -1 where the type has none */
    int64_t quantity;
    PText password;
} NewOrder;

Order *order_submitted(const NewOrder *request);
int64_t cancel_submitted(Order *order, PText password); /* the MessageID */
int64_t change_submitted(Order *order, double price, double stop, int64_t quantity, PText password);
void cancels_rejected_next(int32_t count, uint8_t code);

/* The truth has changed: write it down, tell the client. `fill` is what was just traded, else 0. */
void order_updated(Order *order, PText text, int64_t fill, double fill_price);
void order_filled(Order *order, int64_t quantity, double price);
void order_expired(Order *order);
void order_unmatched(Order *order);
void orders_expired(const Listing *listing); /* null: of all */
void orders_resumed(void);                   /* after a restart the broker goes on with what it had in hand */
void cancel_resumed(Order *order);

/* ---- requests checked (order_checks.c) ---------------------------------------------------------------------------------- */

int64_t order_checked_and_sent(const NewOrder *request, int64_t *message_id); /* LocalOrderID or an error */
int32_t change_checked_and_sent(Order *order, double price, double stop, int64_t quantity, PText password,
                                int64_t *message_id);
int64_t zero_checked_and_sent(Account *account, Listing *listing, uint8_t position_type, double price, PText password,
                              int64_t *message_id);
void plain_stops_allowed(void); /* type 3 is not documented for sending */
void orders_canceled(const Account *account, const Listing *listing, PText password); /* null listing: all */

/* ---- matching (matching.c) ------------------------------------------------------------------------------------------------ */

void order_enters_book(Order *order); /* may fill at once */
void order_leaves_book(Order *order);
void order_race_filled(Order *order, int64_t quantity);
void matching_on_tick(const SimTick *tick);

/* ---- loads (order_history.c) ------------------------------------------------------------------------------------------------ */

int32_t orders_loaded(Account *account, int64_t from_ms, int64_t to_ms); /* NL_OK, NL_WAITING_SERVER, NL_OUT_OF_RANGE */

/* ---- positions (holdings.c, positions.c) ------------------------------------------------------------------------------------ */

typedef struct Holding {
    int64_t net;    /* bought minus sold */
    double average; /* of what is open; 0 when flat */
} Holding;

typedef struct Turnover {
    int64_t quantity;
    double value; /* sum of price times quantity */
} Turnover;

typedef struct Position {
    Account *account;
    Listing *listing;
    Holding day, whole;
    Turnover bought, sold; /* of `session` */
    int32_t session;
    int64_t event_id;
    struct Position *next;
} Position;

void holding_traded(Holding *holding, int64_t signed_quantity, double price);
Position *position_found(const Account *account, const Listing *listing); /* null: never traded */
Position *first_position(void);
void position_traded(const Order *order, int64_t quantity, double price, int64_t at);
void positions_announced(const Account *account);
const Holding *position_holding(const Position *position, uint8_t position_type);

/* ---- what the broker writes down (broker_state.c) ------------------------------------------------------------------------------ */

const char *broker_state_opened(const char *path); /* restores what is there; null or what is wrong */
void broker_state_written(const Order *order, int64_t fill, double fill_price);
void broker_state_closed(void);

/* ---- events for the client (announce.c, legacy_orders.c) ------------------------------------------------------------------------ */

typedef struct AccountText {
    int32_t broker;
    char16_t id[ACCOUNT_UNITS], sub_id[ACCOUNT_UNITS];
} AccountText;

AccountText account_text(const Account *account);
TConnectorAccountIdentifier account_identifier(const AccountText *text); /* points into `text` */
void announce_order(const Order *order);
void announce_message(const Order *order, int64_t message_id, uint8_t code, PText text);
void announce_position(const Account *account, const Listing *listing, int64_t event_id); /* null: the whole list */
void announce_account(const Account *account);
void announce_account_list(int32_t broker);
void announce_sub_account_list(const Account *master);
void announce_orders_loaded(const Account *account);
void announce_legacy_change(const Order *order, int64_t late_ns);
void announce_legacy_history(const Order *order);
void announce_legacy_again(const Order *order); /* GetOrder asks for it */
int64_t next_event_id(void);
int64_t next_message_id(void);

/* What FreePointer takes back (the market half counts it). */
void *array_allocate(size_t size);

#endif
