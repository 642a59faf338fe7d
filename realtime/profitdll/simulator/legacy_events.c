/* Order events of the older interface: flat lists of fields, to whichever of the four legacy callbacks is installed. */
#include <string.h>

#include "trading.h"

typedef struct FlatOrder {
    char16_t ticker[SIM_TICKER], exchange[2];
    int32_t broker, quantity, traded, leaves, side, validity;
    double price, stop, average;
    int64_t profit_id;
    char16_t type[SIM_TICKER], account[ACCOUNT_UNITS], holder[SIM_TEXT], cl_ord_id[CL_ORD_ID_UNITS], status[SIM_TICKER];
    char16_t created[SIM_DATE], updated[SIM_DATE], closed[SIM_DATE], valid[SIM_DATE], text[SIM_TEXT];
} FlatOrder;

static PText status_name(uint8_t status) {
    switch (status) {
    case ORDER_NEW: return u"New";
    case ORDER_PARTIALLY_FILLED: return u"PartiallyFilled";
    case ORDER_FILLED: return u"Filled";
    case ORDER_CANCELED: return u"Canceled";
    case ORDER_REPLACED: return u"Replaced";
    case ORDER_PENDING_CANCEL: return u"PendingCancel";
    case ORDER_REJECTED: return u"Rejected";
    case ORDER_EXPIRED: return u"Expired";
    case ORDER_PENDING_REPLACE: return u"PendingReplace";
    case ORDER_PARTIALLY_FILLED_CANCELED: return u"PartiallyFilledCanceled";
    case ORDER_PARTIALLY_FILLED_EXPIRED: return u"PartiallyFilledExpired";
    case ORDER_HADES_CREATED: return u"HadesCreated";
    case ORDER_CLIENT_CREATED: return u"ClientCreated";
    case ORDER_NOT_CREATED: return u"OrderNotCreated";
    default: return u"Unknown";
    }
}

static PText type_name(uint8_t type) {
    switch (type) {
    case TYPE_MARKET: return u"Market";
    case TYPE_LIMIT: return u"Limit";
    case TYPE_STOP: return u"Stop";
    case TYPE_STOP_LIMIT: return u"StopLimit";
    default: return u"Unknown";
    }
}

static void date_shown(char16_t into[SIM_DATE], int64_t market_ms) {
    if (market_ms) {
        sim_date_text(market_ms, into);
    }
}

static FlatOrder flattened(const Order *order) {
    const OrderState *state = &order->client;
    FlatOrder flat = {
        .broker = order->account->told.broker,
        .quantity = (int32_t)state->quantity,
        .traded = (int32_t)state->traded,
        .leaves = (int32_t)leaves_of(state),
        .side = order->side,
        .validity = VALIDITY_DAY,
        .price = state->price,
        .stop = state->stop,
        .average = average_of(order, state),
        .profit_id = order->local_id,
    };
    sim_copy(flat.ticker, SIM_TICKER, order->listing->ticker);
    sim_copy(flat.exchange, 2, order->listing->exchange);
    sim_copy(flat.type, SIM_TICKER, type_name(state->type));
    sim_copy(flat.status, SIM_TICKER, status_name(state->status));
    sim_copy(flat.account, ACCOUNT_UNITS, order->account->told.account);
    sim_copy(flat.holder, SIM_TEXT, order->account->told.holder);
    sim_copy(flat.cl_ord_id, CL_ORD_ID_UNITS, state->has_cl_ord_id ? order->cl_ord_id : u"");
    sim_copy(flat.text, SIM_TEXT, state->text);
    date_shown(flat.created, order->created_at);
    date_shown(flat.updated, state->updated_at);
    date_shown(flat.closed, state->closed_at);
    return flat;
}

static void flat_delivered_v2(TOrderChangeCallbackV2 call, const FlatOrder *flat) {
    TAssetIDRec asset = {flat->ticker, flat->exchange, 0};
    call(asset, flat->broker, flat->quantity, flat->traded, flat->leaves, flat->side, flat->validity, flat->price,
         flat->stop, flat->average, flat->profit_id, flat->type, flat->account, flat->holder, flat->cl_ord_id,
         flat->status, flat->created, flat->updated, flat->closed, flat->valid, flat->text);
}

static void change_delivered(void *payload) {
    const FlatOrder *flat = payload;
    TAssetIDRec asset = {flat->ticker, flat->exchange, 0};
    TOrderChangeCallback call = SIM_CALLBACK(order_change);
    TOrderChangeCallbackV2 call_v2 = SIM_CALLBACK(order_change_v2);
    if (call) {
        call(asset, flat->broker, flat->quantity, flat->traded, flat->leaves, flat->side, flat->price, flat->stop,
             flat->average, flat->profit_id, flat->type, flat->account, flat->holder, flat->cl_ord_id, flat->status,
             flat->created, flat->text);
    }
    if (call_v2) {
        flat_delivered_v2(call_v2, flat);
    }
}

static void history_delivered(void *payload) {
    const FlatOrder *flat = payload;
    TAssetIDRec asset = {flat->ticker, flat->exchange, 0};
    THistoryCallback call = SIM_CALLBACK(history);
    THistoryCallbackV2 call_v2 = SIM_CALLBACK(history_v2);
    if (call) {
        call(asset, flat->broker, flat->quantity, flat->traded, flat->leaves, flat->side, flat->price, flat->stop,
             flat->average, flat->profit_id, flat->type, flat->account, flat->holder, flat->cl_ord_id, flat->status,
             flat->created);
    }
    if (call_v2) {
        flat_delivered_v2(call_v2, flat);
    }
}

/* Nobody pays for the long copies while no legacy callback is installed. */
void announce_legacy_change(const Order *order, int64_t late_ns) {
    if (!SIM_CALLBACK(order_change) && !SIM_CALLBACK(order_change_v2)) {
        return;
    }
    FlatOrder flat = flattened(order);
    for (int copy = 0; copy < order->plan.copies; copy++) {
        if (late_ns) {
            sim_post_at(sim_clock_ns() + late_ns, SIM_ORDER, change_delivered, &flat, sizeof flat);
        } else {
            sim_post(SIM_ORDER, change_delivered, &flat, sizeof flat);
        }
    }
}

void announce_legacy_again(const Order *order) {
    FlatOrder flat = flattened(order);
    sim_post(SIM_ORDER, change_delivered, &flat, sizeof flat);
}

void announce_legacy_history(const Order *order) {
    if (SIM_CALLBACK(history) || SIM_CALLBACK(history_v2)) {
        FlatOrder flat = flattened(order);
        sim_post(SIM_ORDER, history_delivered, &flat, sizeof flat);
    }
}
