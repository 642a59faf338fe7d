/* The deprecated questions about orders and positions. */
#include <stdlib.h>
#include <string.h>

#include "trading.h"

/* "DD/MM/YYYY" in UTF-16; INT64_MIN when it is none. */
static int64_t day_read(PText text, bool until_its_end) {
    char ascii[32];
    sim_narrow(ascii, sizeof ascii, text);
    if (strlen(ascii) < 10 || ascii[2] != '/' || ascii[5] != '/') {
        return INT64_MIN;
    }
    TSystemTime time = {0};
    time.Day = (uint16_t)atoi(ascii);
    time.Month = (uint16_t)atoi(ascii + 3);
    time.Year = (uint16_t)atoi(ascii + 6);
    int64_t start = sim_market_ms(&time);
    int64_t now = sim_now(), end = start + 86399999;
    if (start == INT64_MIN || !until_its_end) {
        return start;
    }
    return end > now && start <= now ? now : end;
}

static Account *account_asked(PText account, PText broker) {
    char digits[16];
    sim_narrow(digits, sizeof digits, broker);
    TConnectorAccountIdentifier identifier = {0, atoi(digits), account, u"", 0};
    return account ? account_of(&identifier) : NULL;
}

/* Orders held already are told again; otherwise the load tells them when it is done. */
API GetOrders(PText account, PText broker, PText start, PText end) {
    SIM_ROUTING_REQUEST("GetOrders");
    if (!account || !broker || !start || !end) {
        return NL_INVALID_ARGS;
    }
    sim_lock();
    Account *found = account_asked(account, broker);
    int64_t from = day_read(start, false), to = day_read(end, true);
    int32_t result = found ? orders_loaded(found, from, to) : NL_NOT_FOUND;
    Order *order;
    for (int64_t number = 0; result == NL_OK && (order = order_number(number)); number++) {
        if (order->local_id && order->account == found && order->created_at >= from && order->created_at <= to) {
            announce_legacy_history(order);
        }
    }
    sim_unlock();
    return result == NL_WAITING_SERVER ? NL_OK : result;
}

static int32_t told_again(const Order *order) {
    if (!order || !order->local_id) {
        return NL_NOT_FOUND;
    }
    announce_legacy_again(order);
    return NL_OK;
}

API GetOrder(PText cl_ord_id) {
    SIM_ROUTING_REQUEST("GetOrder");
    if (sim_length(cl_ord_id) == 0) {
        return NL_INVALID_ARGS;
    }
    sim_lock();
    int32_t result = told_again(order_by_cl_ord_id(cl_ord_id));
    sim_unlock();
    return result;
}

API GetOrderProfitID(int64_t profit_id) {
    SIM_ROUTING_REQUEST("GetOrderProfitID");
    sim_lock();
    int32_t result = told_again(order_by_local_id(profit_id));
    sim_unlock();
    return result;
}

/* ---- GetPosition: one packed record behind a header of count and size; texts in single bytes ------------------------------- */

enum { FIXED_BYTES = 91 };

static char *put(char *at, const void *value, size_t size) {
    memcpy(at, value, size);
    return at + size;
}

static char *put_int(char *at, int64_t value) {
    int32_t narrow = (int32_t)value;
    return put(at, &narrow, sizeof narrow);
}

static char *put_double(char *at, double value) {
    return put(at, &value, sizeof value);
}

static char *put_text(char *at, const char *text) {
    uint16_t length = (uint16_t)strlen(text);
    return put(put(at, &length, sizeof length), text, length);
}

static double average(const Turnover *turnover) {
    return turnover->quantity ? turnover->value / (double)turnover->quantity : 0;
}

static void *packed(const Position *position) {
    char account[3 * ACCOUNT_UNITS], holder[3 * SIM_TEXT], ticker[SIM_TICKER];
    const SimAccount *told = &position->account->told;
    sim_narrow(account, sizeof account, told->account);
    sim_narrow(holder, sizeof holder, told->holder);
    sim_narrow(ticker, sizeof ticker, position->listing->ticker);
    size_t size = FIXED_BYTES + strlen(account) + strlen(holder) + strlen(ticker);
    char *buffer = array_allocate(size);
    if (!buffer) {
        return NULL;
    }
    int64_t net = position->whole.net, open = net < 0 ? -net : net;
    char *at = put_int(buffer, 1);
    at = put_int(at, (int64_t)size);
    at = put_int(at, told->broker);
    at = put_text(at, account);
    at = put_text(at, holder);
    at = put_text(at, ticker);
    at = put_int(at, open);
    at = put_double(at, position->whole.average);
    at = put_double(at, average(&position->sold));
    at = put_int(at, position->sold.quantity);
    at = put_double(at, average(&position->bought));
    at = put_int(at, position->bought.quantity);
    for (int custody = 0; custody < 7; custody++) { /* D+1 to D+3, blocked, pending, allocated, provisioned */
        at = put_int(at, 0);
    }
    at = put_int(at, net - position->day.net);
    at = put_int(at, open);
    *at = net > 0 ? OPEN_BOUGHT : net < 0 ? OPEN_SOLD : OPEN_UNKNOWN;
    return buffer;
}

PROFIT_EXPORT void *PROFIT_CALL GetPosition(PText account, PText broker, PText ticker, PText exchange) {
    if (sim_enter("GetPosition", true) != NL_OK || !account || !broker || !ticker) {
        return NULL;
    }
    Listing *listing;
    sim_lock();
    const Account *found = account_asked(account, broker);
    const Position *position = NULL;
    if (found && listing_found(ticker, exchange, &listing) == NL_OK && sim_order_history_enabled()) {
        position = position_found(found, listing);
    }
    void *buffer = position ? packed(position) : NULL;
    sim_unlock();
    return buffer;
}
