/* Trading events on their way to the client: each carries copies of all it needs, for nothing may be looked up later. */
#include <string.h>

#include "trading.h"

AccountText account_text(const Account *account) {
    AccountText text = {.broker = account->told.broker};
    sim_copy(text.id, ACCOUNT_UNITS, account->told.account);
    sim_copy(text.sub_id, ACCOUNT_UNITS, account->told.sub_account);
    return text;
}

TConnectorAccountIdentifier account_identifier(const AccountText *text) {
    return (TConnectorAccountIdentifier){0, text->broker, text->id, text->sub_id, 0};
}

/* ---- orders ------------------------------------------------------------------------------------------------------------ */

typedef struct OrderEvent {
    int64_t local_id;
    char16_t cl_ord_id[CL_ORD_ID_UNITS];
} OrderEvent;

static OrderEvent order_event(const Order *order) {
    OrderEvent event = {.local_id = order->local_id};
    if (order->client.has_cl_ord_id) {
        memcpy(event.cl_ord_id, order->cl_ord_id, sizeof event.cl_ord_id);
    }
    return event;
}

static void order_delivered(void *payload) {
    OrderEvent *event = payload;
    TOrderCallback call = SIM_CALLBACK(order);
    if (call) {
        call((TConnectorOrderIdentifier){0, event->local_id, event->cl_ord_id});
    }
}

void announce_order(const Order *order) {
    OrderEvent event = order_event(order);
    const SimOrderFaults *pace = sim_order_faults();
    int64_t late_ns = order->plan.newer_details ? (int64_t)(2.5e6 * pace->step_ms) : 0;
    for (int copy = 0; copy < order->plan.copies; copy++) {
        if (late_ns) {
            sim_post_at(sim_clock_ns() + late_ns, SIM_ORDER, order_delivered, &event, sizeof event);
        } else {
            sim_post(SIM_ORDER, order_delivered, &event, sizeof event);
        }
    }
    announce_legacy_change(order, late_ns);
}

typedef struct MessageEvent {
    OrderEvent order;
    int32_t broker;
    uint8_t code;
    int64_t message_id;
    char16_t text[SIM_TEXT];
} MessageEvent;

static void message_delivered(void *payload) {
    MessageEvent *event = payload;
    TTradingMessageResultCallback call = SIM_CALLBACK(message_result);
    if (!call) {
        return;
    }
    TConnectorTradingMessageResult result;
    memset(&result, 0, sizeof result);
    result.BrokerID = event->broker;
    result.OrderID = (TConnectorOrderIdentifier){0, event->order.local_id, event->order.cl_ord_id};
    result.MessageID = event->message_id;
    result.ResultCode = event->code;
    result.Message = event->text;
    result.MessageLength = (int32_t)sim_length(event->text);
    call(&result);
    memset(&result, 0xDD, sizeof result);
}

void announce_message(const Order *order, int64_t message_id, uint8_t code, PText text) {
    bool heard = code == MESSAGE_NOT_CONNECTED || routing_reaches_server();
    if (!message_id || !heard) {
        return; /* an answer that met a broken line is not sent again */
    }
    MessageEvent event = {order_event(order), order->account->told.broker, code, message_id, {0}};
    sim_copy(event.text, SIM_TEXT, text);
    sim_post(SIM_MESSAGE, message_delivered, &event, sizeof event);
}

/* ---- loads --------------------------------------------------------------------------------------------------------------- */

static void loaded_delivered(void *payload) {
    TOrderHistoryCallback call = SIM_CALLBACK(order_history);
    if (call) {
        call(account_identifier(payload));
    }
}

void announce_orders_loaded(const Account *account) {
    AccountText event = account_text(account);
    sim_post(SIM_ORDER_HISTORY, loaded_delivered, &event, sizeof event);
}

/* ---- positions ------------------------------------------------------------------------------------------------------------- */

typedef struct PositionEvent {
    AccountText account;
    char16_t ticker[SIM_TICKER], exchange[2];
    int64_t event_id;
} PositionEvent;

static void position_delivered(void *payload) {
    PositionEvent *event = payload;
    TAssetPositionListCallback call = SIM_CALLBACK(position_list);
    if (call) {
        call(account_identifier(&event->account),
             (TConnectorAssetIdentifier){0, event->ticker, event->exchange, 0}, event->event_id);
    }
}

void announce_position(const Account *account, const Listing *listing, int64_t event_id) {
    PositionEvent event = {account_text(account), {0}, {0}, event_id};
    sim_copy(event.ticker, SIM_TICKER, listing ? listing->ticker : u"-1");
    sim_copy(event.exchange, 2, listing ? listing->exchange : u"");
    sim_post(SIM_POSITION, position_delivered, &event, sizeof event);
}

/* ---- accounts ---------------------------------------------------------------------------------------------------------------- */

static void account_delivered(void *payload) {
    SimAccount *event = payload;
    TAccountCallback call = SIM_CALLBACK(account);
    if (call) {
        call(event->broker, event->broker_name, event->account, event->holder);
    }
}

void announce_account(const Account *account) {
    sim_post(SIM_ACCOUNT, account_delivered, &account->told, sizeof account->told);
}

static void account_list_delivered(void *payload) {
    TBrokerAccountListChangedCallback call = SIM_CALLBACK(broker_accounts);
    if (call) {
        call(*(int32_t *)payload, 1);
    }
}

void announce_account_list(int32_t broker) {
    sim_post(SIM_BROKER_ACCOUNTS, account_list_delivered, &broker, sizeof broker);
}

static void sub_account_list_delivered(void *payload) {
    TBrokerSubAccountListChangedCallback call = SIM_CALLBACK(sub_accounts);
    if (call) {
        call(account_identifier(payload));
    }
}

void announce_sub_account_list(const Account *master) {
    AccountText event = account_text(master);
    sim_post(SIM_BROKER_ACCOUNTS, sub_account_list_delivered, &event, sizeof event);
}
