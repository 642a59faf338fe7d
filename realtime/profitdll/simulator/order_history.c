/* Loads of orders from the server: one per account at a time, its end told by one event or by one per order. */
#include "trading.h"

static bool is_loaded(const Account *account, int32_t from, int32_t to) {
    return account->loaded_from <= from && to <= account->loaded_to;
}

/* The load shows the truth at the broker: what a gap of the connection has hidden comes to light here. */
static void order_loaded(Order *order) {
    order_known_to_client(order);
    order->plan.mute = false;
    order->broker.has_cl_ord_id = true; /* what the broker lists has its id */
    if (order->broker.status == ORDER_CLIENT_CREATED) {
        order->broker.status = ORDER_HADES_CREATED;
    }
    order->client = order->broker;
    if (!SIM_CALLBACK(order_history)) {
        announce_order(order); /* with that callback installed, one event per account stands for all of these */
    }
    announce_legacy_history(order);
}

static void load_done(void *subject, int64_t unused) {
    (void)unused;
    Account *account = subject;
    Order *order;
    account->loading = false;
    if (!routing_reaches_broker()) {
        return; /* the answer met a broken line: the client has to ask again */
    }
    bool adjoins = account->loaded_from <= account->loaded_to && account->loading_from <= account->loaded_to + 1 &&
                   account->loaded_from <= account->loading_to + 1;
    for (int64_t number = 0; (order = order_number(number)); number++) {
        int32_t created_on = sim_session_date(order->created_at);
        bool at_broker = order->cl_ord_id[0] != 0;
        if (at_broker && order->account == account && created_on >= account->loading_from &&
            created_on <= account->loading_to) {
            order_loaded(order);
        }
    }
    if (!adjoins || account->loading_from < account->loaded_from) {
        account->loaded_from = account->loading_from;
    }
    if (!adjoins || account->loading_to > account->loaded_to) {
        account->loaded_to = account->loading_to;
    }
    announce_orders_loaded(account);
}

int32_t orders_loaded(Account *account, int64_t from_ms, int64_t to_ms) {
    int64_t now = sim_now();
    if (from_ms == INT64_MIN || to_ms == INT64_MIN || from_ms > to_ms || to_ms > now) {
        return NL_OUT_OF_RANGE;
    }
    int32_t from = sim_session_date(from_ms), to = sim_session_date(to_ms);
    if (is_loaded(account, from, to)) {
        return NL_OK;
    }
    if (!account->loading) { /* otherwise join the load under way */
        account->loading = true;
        account->loading_from = from;
        account->loading_to = to;
        trading_after(sim_order_faults()->history_ms, load_done, account, 0);
    }
    return NL_WAITING_SERVER;
}
