/* Reading orders: details by id, enumeration of what the DLL holds. */
#include <stdlib.h>
#include <string.h>

#include "trading.h"

/* Unlike cancels, details are asked with the identifier of a callback, which carries both keys. */
static Order *order_identified(const TConnectorOrderIdentifier *id) {
    bool by_local = id->LocalOrderID > 0;
    Order *order = NULL;
    if (by_local) {
        order = order_by_local_id(id->LocalOrderID);
    } else if (sim_length(id->ClOrderID)) {
        order = order_by_cl_ord_id(id->ClOrderID);
    }
    return order && order->local_id && (by_local || order->client.has_cl_ord_id) ? order : NULL;
}

static TSystemTime time_shown(int64_t market_ms) {
    TSystemTime unset = {0};
    return market_ms ? sim_system_time(market_ms) : unset;
}

/* ---- details --------------------------------------------------------------------------------------------------------- */

/* The ClOrderID stays the caller's pointer: bindings that marshal it as text release whatever stands there. */
static void details_shown(const Order *order, TConnectorOrderOut *into) {
    const OrderState *state = &order->client;
    const SimAccount *account = &order->account->told;
    into->OrderID.LocalOrderID = order->local_id;
    into->AccountID.BrokerID = account->broker;
    sim_copy(into->AccountID.AccountID, ACCOUNT_UNITS, account->account);
    into->AccountID.AccountIDLength = (int32_t)sim_length(account->account);
    sim_copy(into->AccountID.SubAccountID, ACCOUNT_UNITS, account->sub_account);
    into->AccountID.SubAccountIDLength = (int32_t)sim_length(account->sub_account);
    sim_text_out(into->AssetID.Ticker, &into->AssetID.TickerLength, order->listing->ticker);
    sim_text_out(into->AssetID.Exchange, &into->AssetID.ExchangeLength, order->listing->exchange);
    into->AssetID.FeedType = 0;
    into->Quantity = state->quantity;
    into->TradedQuantity = state->traded;
    into->LeavesQuantity = leaves_of(state);
    into->Price = state->price;
    into->StopPrice = state->stop;
    into->AveragePrice = average_of(order, state);
    into->OrderSide = order->side;
    into->OrderType = state->type;
    into->OrderStatus = state->status;
    into->ValidityType = VALIDITY_DAY;
    into->Date = time_shown(order->created_at);
    into->LastUpdate = time_shown(state->updated_at);
    into->CloseDate = time_shown(state->closed_at);
    into->ValidityDate = time_shown(0);
    sim_text_out(into->TextMessage, &into->TextMessageLength, state->text);
    if (into->Version >= 1) {
        into->EventID = order->event_id;
    }
}

API GetOrderDetails(TConnectorOrderOut *order) {
    SIM_ACCESSOR("GetOrderDetails");
    if (!order) {
        return NL_INVALID_ARGS;
    }
    bool fit = order->Version <= 1 && order->OrderID.Version == 0 && order->AccountID.Version == 0 &&
               order->AssetID.Version == 0;
    if (!fit) {
        sim_version_error();
        return NL_VERSION_NOT_SUPPORTED;
    }
    if (order->OrderID.LocalOrderID <= 0 && sim_length(order->OrderID.ClOrderID) == 0) {
        return NL_INVALID_ARGS;
    }
    int32_t result = NL_NOT_FOUND;
    sim_lock();
    const Order *found = order_identified(&order->OrderID);
    if (found && sim_clock_ns() >= found->hidden_until_ns) {
        details_shown(found, order);
        result = NL_OK;
    }
    sim_unlock();
    return result;
}

/* ---- enumeration: each item is copied under the lock and shown without it ------------------------------------------------- */

typedef struct ShownOrder {
    TConnectorOrder order;
    AccountText account;
    char16_t ticker[SIM_TICKER], exchange[2], cl_ord_id[CL_ORD_ID_UNITS], text[SIM_TEXT];
} ShownOrder;

static void order_copied(const Order *order, uint8_t version, ShownOrder *into) {
    const OrderState *state = &order->client;
    into->account = account_text(order->account);
    sim_copy(into->ticker, SIM_TICKER, order->listing->ticker);
    sim_copy(into->exchange, 2, order->listing->exchange);
    sim_copy(into->cl_ord_id, CL_ORD_ID_UNITS, state->has_cl_ord_id ? order->cl_ord_id : u"");
    sim_copy(into->text, SIM_TEXT, state->text);
    TConnectorOrder *shown = &into->order;
    shown->Version = version;
    shown->OrderID = (TConnectorOrderIdentifier){0, order->local_id, into->cl_ord_id};
    shown->AccountID = account_identifier(&into->account);
    shown->AssetID = (TConnectorAssetIdentifier){0, into->ticker, into->exchange, 0};
    shown->Quantity = state->quantity;
    shown->TradedQuantity = state->traded;
    shown->LeavesQuantity = leaves_of(state);
    shown->Price = state->price;
    shown->StopPrice = state->stop;
    shown->AveragePrice = average_of(order, state);
    shown->OrderSide = order->side;
    shown->OrderType = state->type;
    shown->OrderStatus = state->status;
    shown->ValidityType = VALIDITY_DAY;
    shown->Date = time_shown(order->created_at);
    shown->LastUpdate = time_shown(state->updated_at);
    shown->CloseDate = time_shown(state->closed_at);
    shown->ValidityDate = time_shown(0);
    shown->TextMessage = into->text;
    if (version >= 1) {
        shown->EventID = order->event_id;
    }
}

typedef struct Wanted {
    Account *account;
    int64_t from, to;
    uint8_t version;
} Wanted;

/* The next order from `*number` on; false after the last. */
static bool next_copied(const Wanted *wanted, int64_t *number, ShownOrder *into) {
    Order *order;
    while ((order = order_number((*number)++))) {
        if (order->local_id && order->account == wanted->account && order->created_at >= wanted->from &&
            order->created_at <= wanted->to) {
            order_copied(order, wanted->version, into);
            return true;
        }
    }
    return false;
}

static int32_t enumerated(const Wanted *wanted, intptr_t user, TEnumerateOrders proc) {
    for (int64_t number = 0;;) {
        ShownOrder *shown = malloc(sizeof *shown);
        if (!shown) {
            return NL_INTERNAL_ERROR;
        }
        memset(shown, 0xDD, sizeof *shown);
        sim_lock();
        bool found = next_copied(wanted, &number, shown);
        sim_unlock();
        bool more = found && proc(&shown->order, user);
        memset(shown, 0xDD, sizeof *shown); /* a kept pointer must not go on working by luck */
        free(shown);
        if (!more) {
            return NL_OK;
        }
    }
}

static int32_t account_checked(const TConnectorAccountIdentifier *identifier, uint8_t version, Account **account) {
    if (!identifier) {
        return NL_INVALID_ARGS;
    }
    if (identifier->Version > 0 || version > 1) {
        sim_version_error();
        return NL_VERSION_NOT_SUPPORTED;
    }
    *account = account_of(identifier);
    return *account ? NL_OK : identifier->AccountID ? NL_NOT_FOUND : NL_INVALID_ARGS;
}

API HasOrdersInInterval(const TConnectorAccountIdentifier *identifier, TSystemTime start, TSystemTime end) {
    SIM_ROUTING_REQUEST("HasOrdersInInterval");
    Account *account;
    sim_lock();
    int32_t result = account_checked(identifier, 0, &account);
    if (result == NL_OK) {
        result = orders_loaded(account, sim_market_ms(&start), sim_market_ms(&end));
    }
    sim_unlock();
    return result;
}

API EnumerateOrdersByInterval(const TConnectorAccountIdentifier *identifier, uint8_t version, TSystemTime start,
                              TSystemTime end, intptr_t user, TEnumerateOrders proc) {
    SIM_ROUTING_REQUEST("EnumerateOrdersByInterval");
    Wanted wanted = {.from = sim_market_ms(&start), .to = sim_market_ms(&end), .version = version};
    if (!proc) {
        return NL_INVALID_ARGS;
    }
    sim_lock();
    int32_t result = account_checked(identifier, version, &wanted.account);
    if (result == NL_OK) {
        result = orders_loaded(wanted.account, wanted.from, wanted.to);
    }
    sim_unlock();
    return result == NL_OK ? enumerated(&wanted, user, proc) : result;
}

API EnumerateAllOrders(const TConnectorAccountIdentifier *identifier, uint8_t version, intptr_t user,
                       TEnumerateOrders proc) {
    SIM_ACCESSOR("EnumerateAllOrders");
    Wanted wanted = {.from = INT64_MIN, .to = INT64_MAX, .version = version};
    if (!proc) {
        return NL_INVALID_ARGS;
    }
    sim_lock();
    int32_t result = account_checked(identifier, version, &wanted.account);
    sim_unlock();
    return result == NL_OK ? enumerated(&wanted, user, proc) : result;
}
