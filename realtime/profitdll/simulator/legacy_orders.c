/* The deprecated order functions: flat arguments, broker as text, orders by ClOrderID. */
#include <stdlib.h>
#include <string.h>

#include "trading.h"

static int32_t account_asked(PText account, PText broker, Account **found) {
    if (!account || !broker) {
        return NL_INVALID_ARGS;
    }
    if (!routing_was_up()) {
        return NL_NO_LOGIN;
    }
    char digits[16];
    sim_narrow(digits, sizeof digits, broker);
    TConnectorAccountIdentifier identifier = {0, atoi(digits), account, u"", 0};
    *found = account_of(&identifier);
    return *found ? NL_OK : NL_NOT_FOUND;
}

static int32_t parties_asked(PText account, PText broker, PText ticker, PText exchange, Account **found,
                             Listing **listing) {
    int32_t refusal = account_asked(account, broker, found);
    if (refusal != NL_OK) {
        return refusal;
    }
    return ticker ? listing_found(ticker, exchange, listing) : NL_INVALID_ARGS;
}

/* ---- sending ------------------------------------------------------------------------------------------------------------- */

static int64_t sent(PText account, PText broker, PText ticker, PText exchange, NewOrder request) {
    sim_lock();
    int64_t result = parties_asked(account, broker, ticker, exchange, &request.account, &request.listing);
    if (result == NL_OK) {
        result = order_checked_and_sent(&request, NULL);
    }
    sim_unlock();
    return result;
}

static NewOrder limit_order(uint8_t side, double price, int32_t amount, PText password) {
    return (NewOrder){NULL, NULL, TYPE_LIMIT, side, price, -1, amount, password};
}

static NewOrder market_order(uint8_t side, int32_t amount, PText password) {
    return (NewOrder){NULL, NULL, TYPE_MARKET, side, -1, -1, amount, password};
}

static NewOrder stop_order(uint8_t side, double price, double stop, int32_t amount, PText password) {
    return (NewOrder){NULL, NULL, TYPE_STOP_LIMIT, side, price, stop, amount, password};
}

API64 SendBuyOrder(PText account, PText broker, PText password, PText ticker, PText exchange, double price,
                   int32_t amount) {
    SIM_ROUTING_REQUEST("SendBuyOrder");
    return sent(account, broker, ticker, exchange, limit_order(SIDE_BUY, price, amount, password));
}

API64 SendSellOrder(PText account, PText broker, PText password, PText ticker, PText exchange, double price,
                    int32_t amount) {
    SIM_ROUTING_REQUEST("SendSellOrder");
    return sent(account, broker, ticker, exchange, limit_order(SIDE_SELL, price, amount, password));
}

API64 SendMarketBuyOrder(PText account, PText broker, PText password, PText ticker, PText exchange, int32_t amount) {
    SIM_ROUTING_REQUEST("SendMarketBuyOrder");
    return sent(account, broker, ticker, exchange, market_order(SIDE_BUY, amount, password));
}

API64 SendMarketSellOrder(PText account, PText broker, PText password, PText ticker, PText exchange, int32_t amount) {
    SIM_ROUTING_REQUEST("SendMarketSellOrder");
    return sent(account, broker, ticker, exchange, market_order(SIDE_SELL, amount, password));
}

API64 SendStopBuyOrder(PText account, PText broker, PText password, PText ticker, PText exchange, double price,
                       double stop_price, int32_t amount) {
    SIM_ROUTING_REQUEST("SendStopBuyOrder");
    return sent(account, broker, ticker, exchange, stop_order(SIDE_BUY, price, stop_price, amount, password));
}

API64 SendStopSellOrder(PText account, PText broker, PText password, PText ticker, PText exchange, double price,
                        double stop_price, int32_t amount) {
    SIM_ROUTING_REQUEST("SendStopSellOrder");
    return sent(account, broker, ticker, exchange, stop_order(SIDE_SELL, price, stop_price, amount, password));
}

/* ---- change and cancel ------------------------------------------------------------------------------------------------------- */

static int32_t order_asked(PText account, PText broker, PText cl_ord_id, Order **order) {
    Account *found;
    int32_t refusal = account_asked(account, broker, &found);
    if (refusal != NL_OK) {
        return refusal;
    }
    if (sim_length(cl_ord_id) == 0) {
        return NL_INVALID_ARGS;
    }
    *order = order_by_cl_ord_id(cl_ord_id);
    bool known = *order && (*order)->local_id && (*order)->client.has_cl_ord_id && (*order)->account == found;
    return known ? NL_OK : NL_NOT_FOUND;
}

API SendChangeOrder(PText account, PText broker, PText password, PText cl_ord_id, double price, int32_t amount) {
    SIM_ROUTING_REQUEST("SendChangeOrder");
    Order *order;
    sim_lock();
    int32_t result = order_asked(account, broker, cl_ord_id, &order);
    if (result == NL_OK) {
        result = change_checked_and_sent(order, price, order->client.stop, amount, password, NULL);
    }
    sim_unlock();
    return result;
}

API SendCancelOrder(PText account, PText broker, PText cl_ord_id, PText password) {
    SIM_ROUTING_REQUEST("SendCancelOrder");
    Order *order;
    sim_lock();
    int32_t result = order_asked(account, broker, cl_ord_id, &order);
    if (result == NL_OK && !password) {
        result = NL_INVALID_ARGS;
    }
    if (result == NL_OK) {
        cancel_submitted(order, password);
    }
    sim_unlock();
    return result;
}

API SendCancelOrders(PText account, PText broker, PText password, PText ticker, PText exchange) {
    SIM_ROUTING_REQUEST("SendCancelOrders");
    Account *found;
    Listing *listing;
    sim_lock();
    int32_t result = parties_asked(account, broker, ticker, exchange, &found, &listing);
    if (result == NL_OK && !password) {
        result = NL_INVALID_ARGS;
    }
    if (result == NL_OK) {
        orders_canceled(found, listing, password);
    }
    sim_unlock();
    return result;
}

API SendCancelAllOrders(PText account, PText broker, PText password) {
    SIM_ROUTING_REQUEST("SendCancelAllOrders");
    Account *found;
    sim_lock();
    int32_t result = account_asked(account, broker, &found);
    if (result == NL_OK && !password) {
        result = NL_INVALID_ARGS;
    }
    if (result == NL_OK) {
        orders_canceled(found, NULL, password);
    }
    sim_unlock();
    return result;
}

/* ---- zero a position --------------------------------------------------------------------------------------------------------- */

static int64_t zeroed(PText account, PText broker, PText ticker, PText exchange, PText password, double price) {
    Account *found;
    Listing *listing;
    sim_lock();
    int64_t result = parties_asked(account, broker, ticker, exchange, &found, &listing);
    if (result == NL_OK) {
        result = zero_checked_and_sent(found, listing, POSITION_CONSOLIDATED, price, password, NULL);
    }
    sim_unlock();
    return result;
}

API64 SendZeroPosition(PText account, PText broker, PText ticker, PText exchange, PText password, double price) {
    SIM_ROUTING_REQUEST("SendZeroPosition");
    return zeroed(account, broker, ticker, exchange, password, price);
}

API64 SendZeroPositionAtMarket(PText account, PText broker, PText ticker, PText exchange, PText password) {
    SIM_ROUTING_REQUEST("SendZeroPositionAtMarket");
    return zeroed(account, broker, ticker, exchange, password, -1);
}
