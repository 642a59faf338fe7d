/* What the DLL itself refuses, before anything is sent. Shared by the current functions and the deprecated ones. */
#include <math.h>

#include "trading.h"

static bool plain_stops;

void plain_stops_allowed(void) {
    plain_stops = true;
}

static bool is_price(const Listing *listing, double price) {
    return isfinite(price) && price > 0 && is_tick_multiple(listing, price);
}

static bool is_absent(double price) {
    return price == -1 || price == 0;
}

static bool prices_fit(const NewOrder *request) {
    const Listing *listing = request->listing;
    switch (request->type) {
    case TYPE_MARKET:
        return request->price == -1 && is_absent(request->stop);
    case TYPE_LIMIT:
        return is_price(listing, request->price) && is_absent(request->stop);
    case TYPE_STOP:
        return plain_stops && request->price == -1 && is_price(listing, request->stop);
    case TYPE_STOP_LIMIT:
        return is_price(listing, request->price) && is_price(listing, request->stop);
    default:
        return false; /* documented for sending: market, limit, stop-limit */
    }
}

int64_t order_checked_and_sent(const NewOrder *request, int64_t *message_id) {
    bool sides = request->side == SIDE_BUY || request->side == SIDE_SELL;
    if (!request->password || !sides || request->quantity <= 0 || !prices_fit(request)) {
        return NL_INVALID_ARGS;
    }
    if (sim_strikes(&sim_order_faults()->refuse, request->quantity)) {
        return (int64_t)INT32_MIN + sim_order_faults()->refuse_code;
    }
    Order *order = order_submitted(request);
    if (message_id) {
        *message_id = order->message_id;
    }
    return order->local_id;
}

int32_t change_checked_and_sent(Order *order, double price, double stop, int64_t quantity, PText password,
                                int64_t *message_id) {
    uint8_t type = order->client.type;
    bool has_price = type == TYPE_LIMIT || type == TYPE_STOP_LIMIT;
    bool has_stop = type == TYPE_STOP || type == TYPE_STOP_LIMIT;
    if (!password || quantity <= 0 || (has_price && !is_price(order->listing, price)) ||
        (has_stop && !is_price(order->listing, stop))) {
        return NL_INVALID_ARGS;
    }
    int64_t given = change_submitted(order, price, stop, quantity, password);
    if (message_id) {
        *message_id = given;
    }
    return NL_OK;
}

int64_t zero_checked_and_sent(Account *account, Listing *listing, uint8_t position_type, double price, PText password,
                              int64_t *message_id) {
    if (position_type != POSITION_DAY_TRADE && position_type != POSITION_CONSOLIDATED) {
        return NL_INVALID_ARGS;
    }
    const Position *position = sim_order_history_enabled() ? position_found(account, listing) : NULL;
    int64_t net = position ? position_holding(position, position_type)->net : 0;
    if (net == 0) {
        return NL_NO_POSITION;
    }
    NewOrder request = {
        .account = account,
        .listing = listing,
        .type = price == -1 ? TYPE_MARKET : TYPE_LIMIT,
        .side = net > 0 ? SIDE_SELL : SIDE_BUY,
        .price = price,
        .stop = -1,
        .quantity = net > 0 ? net : -net,
        .password = password,
    };
    return order_checked_and_sent(&request, message_id);
}

void orders_canceled(const Account *account, const Listing *listing, PText password) {
    Order *order;
    for (int64_t number = 0; (order = order_number(number)); number++) {
        bool wanted = order->account == account && (!listing || order->listing == listing);
        if (wanted && order->local_id && !is_terminal(order->client.status) && order->place != PLACE_LOST) {
            cancel_submitted(order, password);
        }
    }
}
