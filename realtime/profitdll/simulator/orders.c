/* The current order requests: versions and identifiers checked, then handed over under the lock. */
#include "trading.h"

static int32_t versions_fit(bool fit) {
    if (!fit) {
        sim_version_error();
    }
    return fit ? NL_OK : NL_VERSION_NOT_SUPPORTED;
}

/* NL_NO_LOGIN until the broker was reached once; afterwards a broken line answers by message. */
static int32_t parties_found(const TConnectorAccountIdentifier *account_id, const TConnectorAssetIdentifier *asset_id,
                             Account **account, Listing **listing) {
    if (!routing_was_up()) {
        return NL_NO_LOGIN;
    }
    *account = account_of(account_id);
    if (!*account) {
        return account_id->AccountID ? NL_NOT_FOUND : NL_INVALID_ARGS;
    }
    if (!asset_id) {
        return NL_OK;
    }
    return asset_id->Ticker ? listing_found(asset_id->Ticker, asset_id->Exchange, listing) : NL_INVALID_ARGS;
}

/* Exactly one key, and an order of that account. */
static int32_t order_found(const Account *account, const TConnectorOrderIdentifier *id, Order **order) {
    bool by_local = id->LocalOrderID > 0, by_cl_ord = sim_length(id->ClOrderID) > 0;
    if (by_local == by_cl_ord) {
        return NL_INVALID_ARGS;
    }
    *order = by_local ? order_by_local_id(id->LocalOrderID) : order_by_cl_ord_id(id->ClOrderID);
    bool known = *order && (*order)->local_id && (by_local || (*order)->client.has_cl_ord_id);
    return known && (*order)->account == account ? NL_OK : NL_NOT_FOUND;
}

/* ---- SendOrder --------------------------------------------------------------------------------------------------------- */

/* Version 0 counts its types and sides in its own way; its stop has always been a stop-limit. */
static void numbering_of_version_0(NewOrder *request) {
    static const uint8_t types[] = {TYPE_LIMIT, TYPE_STOP_LIMIT, TYPE_MARKET};
    static const uint8_t sides[] = {SIDE_BUY, SIDE_SELL};
    request->type = request->type < sizeof types ? types[request->type] : TYPE_UNKNOWN;
    request->side = request->side < sizeof sides ? sides[request->side] : SIDE_UNKNOWN;
}

static int64_t order_sent(TConnectorSendOrder *order) {
    NewOrder request = {
        .type = order->OrderType,
        .side = order->OrderSide,
        .price = order->Price,
        .stop = order->StopPrice,
        .quantity = order->Quantity,
        .password = order->Password,
    };
    int32_t refusal = parties_found(&order->AccountID, &order->AssetID, &request.account, &request.listing);
    if (refusal != NL_OK) {
        return refusal;
    }
    if (order->Version == 0) {
        numbering_of_version_0(&request);
    }
    return order_checked_and_sent(&request, order->Version >= 1 ? &order->MessageID : NULL);
}

/* A slow call holds its caller and nobody else. */
static void waits_if_slow(int64_t quantity, bool after) {
    SimOrderFaults *faults = sim_order_faults();
    if (faults->slow_after != after || !sim_strikes(&faults->slow, quantity)) {
        return;
    }
    int64_t until = SIM_AFTER_MS(faults->slow_ms);
    sim_unlock();
    while (sim_clock_ns() < until) platform_sleep_ns(1000000);
    sim_lock();
}

API64 SendOrder(TConnectorSendOrder *order) {
    SIM_ROUTING_REQUEST("SendOrder");
    if (!order) {
        return NL_INVALID_ARGS;
    }
    bool fit = order->Version <= 2 && order->AccountID.Version == 0 && order->AssetID.Version == 0;
    if (versions_fit(fit) != NL_OK) {
        return NL_VERSION_NOT_SUPPORTED;
    }
    sim_lock();
    waits_if_slow(order->Quantity, false);
    int64_t result = order_sent(order);
    waits_if_slow(order->Quantity, true);
    sim_unlock();
    return result;
}

/* ---- change and cancel ---------------------------------------------------------------------------------------------------- */

static int32_t change_sent(TConnectorChangeOrder *change) {
    Account *account;
    Order *order;
    int32_t refusal = parties_found(&change->AccountID, NULL, &account, NULL);
    if (refusal == NL_OK) {
        refusal = order_found(account, &change->OrderID, &order);
    }
    if (refusal != NL_OK) {
        return refusal;
    }
    return change_checked_and_sent(order, change->Price, change->StopPrice, change->Quantity, change->Password,
                                   change->Version >= 1 ? &change->MessageID : NULL);
}

API SendChangeOrderV2(TConnectorChangeOrder *change) {
    SIM_ROUTING_REQUEST("SendChangeOrderV2");
    if (!change) {
        return NL_INVALID_ARGS;
    }
    bool fit = change->Version <= 1 && change->AccountID.Version == 0 && change->OrderID.Version == 0;
    if (versions_fit(fit) != NL_OK) {
        return NL_VERSION_NOT_SUPPORTED;
    }
    sim_lock();
    int32_t result = change_sent(change);
    sim_unlock();
    return result;
}

static int32_t cancel_sent(TConnectorCancelOrder *cancel) {
    Account *account;
    Order *order;
    int32_t refusal = parties_found(&cancel->AccountID, NULL, &account, NULL);
    if (refusal == NL_OK) {
        refusal = order_found(account, &cancel->OrderID, &order);
    }
    if (refusal != NL_OK) {
        return refusal;
    }
    if (!cancel->Password) {
        return NL_INVALID_ARGS;
    }
    int64_t message_id = cancel_submitted(order, cancel->Password);
    if (cancel->Version >= 1) {
        cancel->MessageID = message_id;
    }
    return NL_OK;
}

API SendCancelOrderV2(TConnectorCancelOrder *cancel) {
    SIM_ROUTING_REQUEST("SendCancelOrderV2");
    if (!cancel) {
        return NL_INVALID_ARGS;
    }
    bool fit = cancel->Version <= 1 && cancel->AccountID.Version == 0 && cancel->OrderID.Version == 0;
    if (versions_fit(fit) != NL_OK) {
        return NL_VERSION_NOT_SUPPORTED;
    }
    sim_lock();
    int32_t result = cancel_sent(cancel);
    sim_unlock();
    return result;
}

static int32_t cancels_sent(const TConnectorAccountIdentifier *account_id, const TConnectorAssetIdentifier *asset_id,
                            PText password) {
    Account *account;
    Listing *listing = NULL;
    int32_t refusal = parties_found(account_id, asset_id, &account, &listing);
    if (refusal != NL_OK || !password) {
        return refusal != NL_OK ? refusal : NL_INVALID_ARGS;
    }
    orders_canceled(account, listing, password);
    return NL_OK;
}

API SendCancelOrdersV2(TConnectorCancelOrders *orders) {
    SIM_ROUTING_REQUEST("SendCancelOrdersV2");
    if (!orders) {
        return NL_INVALID_ARGS;
    }
    bool fit = orders->Version == 0 && orders->AccountID.Version == 0 && orders->AssetID.Version == 0;
    if (versions_fit(fit) != NL_OK) {
        return NL_VERSION_NOT_SUPPORTED;
    }
    sim_lock();
    int32_t result = cancels_sent(&orders->AccountID, &orders->AssetID, orders->Password);
    sim_unlock();
    return result;
}

API SendCancelAllOrdersV2(TConnectorCancelAllOrders *orders) {
    SIM_ROUTING_REQUEST("SendCancelAllOrdersV2");
    if (!orders) {
        return NL_INVALID_ARGS;
    }
    if (versions_fit(orders->Version == 0 && orders->AccountID.Version == 0) != NL_OK) {
        return NL_VERSION_NOT_SUPPORTED;
    }
    sim_lock();
    int32_t result = cancels_sent(&orders->AccountID, NULL, orders->Password);
    sim_unlock();
    return result;
}

/* ---- zero a position ------------------------------------------------------------------------------------------------------- */

static int64_t zero_sent(TConnectorZeroPosition *zero) {
    Account *account;
    Listing *listing;
    int32_t refusal = parties_found(&zero->AccountID, &zero->AssetID, &account, &listing);
    if (refusal != NL_OK) {
        return refusal;
    }
    uint8_t type = zero->Version >= 1 ? zero->PositionType : POSITION_CONSOLIDATED;
    return zero_checked_and_sent(account, listing, type, zero->Price, zero->Password,
                                 zero->Version >= 2 ? &zero->MessageID : NULL);
}

API64 SendZeroPositionV2(TConnectorZeroPosition *zero) {
    SIM_ROUTING_REQUEST("SendZeroPositionV2");
    if (!zero) {
        return NL_INVALID_ARGS;
    }
    bool fit = zero->Version <= 2 && zero->AccountID.Version == 0 && zero->AssetID.Version == 0;
    if (versions_fit(fit) != NL_OK) {
        return NL_VERSION_NOT_SUPPORTED;
    }
    sim_lock();
    int64_t result = zero_sent(zero);
    sim_unlock();
    return result;
}
