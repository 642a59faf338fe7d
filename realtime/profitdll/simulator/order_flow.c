/* The way of a new order: from the client over proxy, order server and broker to the market, hop by hop. */
#include "trading.h"

enum Hop { HOP_SENDING, HOP_SENT, HOP_PROXY, HOP_HADES, HOP_BROKER, HOP_MARKET, HOP_CREATED, HOP_ACCEPTED, HOP_WORKING };

enum { LATE_STATUS_STEPS = 4 };

/* A refusal takes the place of what its hop would have said. */
static const struct Refusal {
    uint8_t code, status;
    int64_t hop;
    const char *text;
} refusals[] = {
    {MESSAGE_NOT_CONNECTED, ORDER_NOT_CREATED, HOP_PROXY, "Sem conexão com o servidor de ordens."},
    {MESSAGE_REJECTED_MERCURY, ORDER_NOT_CREATED, HOP_HADES, "Ordem rejeitada pelo HadesProxy."},
    {MESSAGE_BLOCKED_BY_RISK, ORDER_NOT_CREATED, HOP_BROKER, "Ordem bloqueada pelo risco."},
    {MESSAGE_REJECTED_HADES, ORDER_NOT_CREATED, HOP_BROKER, "Ordem rejeitada pelo servidor de ordens."},
    {MESSAGE_REJECTED_BROKER, ORDER_REJECTED, HOP_MARKET, "Ordem rejeitada pela corretora."},
    {MESSAGE_REJECTED_MARKET, ORDER_REJECTED, HOP_ACCEPTED, "Ordem rejeitada pela bolsa."},
};

static void hop_reached(void *subject, int64_t hop);
static void aggregated_refused(void *subject, int64_t unused);
static void client_updated(Order *order);

static int64_t ns_of(double ms) {
    return (int64_t)(ms * 1e6);
}

/* What is said of it beyond this login's own library is lost. */
bool is_muted(const Order *order) {
    return order->plan.mute && order->place >= PLACE_SENT;
}

static void hop_scheduled(Order *order, int64_t hop) {
    const SimOrderFaults *pace = sim_order_faults();
    double offset = pace->first_ms + (double)hop * pace->step_ms;
    if (hop == HOP_WORKING && order->broker.type == TYPE_MARKET) {
        double spread = pace->fill_max_ms - pace->fill_min_ms;
        double fill = pace->fill_min_ms + order_chance(order, CHANCE_FILL_TIME, 0) * spread;
        offset = fill > offset ? fill : offset;
    }
    trading_at(order->flow_started_ns + ns_of(offset), hop_reached, order, hop);
}

static void told(const Order *order, uint8_t code, PText text) {
    if (!is_muted(order)) {
        announce_message(order, order->message_id, code, text);
    }
}

static void refused(Order *order, const struct Refusal *refusal) {
    bool planned = refusal->code == order->plan.reject_code && order->plan.reject_text;
    PText text = planned ? order->plan.reject_text : interned(refusal->text);
    told(order, refusal->code, text);
    order->broker.status = refusal->status;
    order_updated(order, text, 0, 0);
}

static bool refused_at(Order *order, int64_t hop, uint8_t code) {
    for (size_t index = 0; code && index < sizeof refusals / sizeof *refusals; index++) {
        if (refusals[index].code == code && refusals[index].hop == hop) {
            refused(order, &refusals[index]);
            return true;
        }
    }
    return false;
}

/* What the state of the connection makes of an order that is about to pass this hop. */
static uint8_t connection_refusal(int64_t hop) {
    if (hop == HOP_PROXY && !routing_reaches_server()) {
        return MESSAGE_NOT_CONNECTED;
    }
    return hop == HOP_BROKER && broker_is_down() ? MESSAGE_REJECTED_HADES : 0;
}

static bool refused_by_market(Order *order) {
    static const struct Refusal closed = {MESSAGE_REJECTED_MARKET, ORDER_REJECTED, HOP_ACCEPTED, "Mercado fechado."};
    static const struct Refusal expired = {MESSAGE_REJECTED_MARKET, ORDER_REJECTED, HOP_ACCEPTED, "Ativo vencido."};
    static const struct Refusal crossed = {MESSAGE_REJECTED_MARKET, ORDER_REJECTED, HOP_ACCEPTED,
                                           "Preço limite não alcança o disparo."};
    const OrderState *state = &order->broker;
    SimMarket market;
    bool known = sim_market_of(order->listing->symbol, &market);
    bool out_of_reach = order->side == SIDE_BUY ? state->stop > state->price : state->stop < state->price;
    if (known && market.expired) {
        refused(order, &expired);
    } else if (known && market.state == ASSET_CLOSED) {
        refused(order, &closed);
    } else if (state->type == TYPE_STOP_LIMIT && out_of_reach) {
        refused(order, &crossed);
    } else {
        return false;
    }
    return true;
}

/* Statuses are skipped on the way to a quick end; an order that rests shows itself after all. */
static void skipping_ends(void *subject, int64_t unused) {
    (void)unused;
    Order *order = subject;
    order->plan.skips_statuses = false;
    if (order->place != PLACE_DONE) {
        client_updated(order);
    }
}

static void plan_expires(void *subject, int64_t unused) {
    (void)unused;
    Order *order = subject;
    if (order->place == PLACE_WORKING) {
        order_expired(order);
    }
}

static void order_accepted(Order *order) {
    order->place = PLACE_WORKING;
    if (order->plan.expires) {
        trading_after(sim_order_faults()->expire_ms, plan_expires, order, 0);
    }
    if (order->plan.skips_statuses) {
        trading_after(2 * sim_order_faults()->fill_max_ms, skipping_ends, order, 0);
    }
    if (order->broker.type != TYPE_MARKET) {
        order->broker.status = ORDER_NEW;
        order_updated(order, interned(""), 0, 0);
    }
    order_enters_book(order);
}

/* From here the broker has the order, whatever becomes of this process. */
static void leaves_client(Order *order) {
    if (!order->plan.dropped && !order->listing->aggregated) {
        order->place = PLACE_SENT;
        cl_ord_id_assigned(order);
        broker_state_written(order, 0, 0);
    }
    told(order, MESSAGE_SENT_TO_HADES_PROXY, interned("Enviada ao HadesProxy."));
}

static bool passes_hades(Order *order) {
    told(order, MESSAGE_SENT_TO_HADES, interned("Enviada ao Hades."));
    if (order->plan.dropped) {
        order->place = PLACE_LOST;
    } else if (order->listing->aggregated) {
        trading_at(order->flow_started_ns + ns_of(sim_order_faults()->refusal_ms), aggregated_refused, order, 0);
    }
    return order->place != PLACE_LOST && !order->listing->aggregated;
}

/* False: the order goes no further. */
static bool hop_done(Order *order, int64_t hop) {
    switch (hop) {
    case HOP_SENDING:
        order_updated(order, interned("Enviando ordem ao HadesProxy"), 0, 0);
        return true;
    case HOP_SENT:
        order_updated(order, interned("Enviado ao servidor de ordens."), 0, 0);
        return true;
    case HOP_PROXY:
        leaves_client(order);
        return true;
    case HOP_HADES:
        return passes_hades(order);
    case HOP_BROKER:
        told(order, MESSAGE_SENT_TO_BROKER, interned("Enviada à corretora."));
        return true;
    case HOP_MARKET:
        told(order, MESSAGE_SENT_TO_MARKET, interned("Enviada ao mercado."));
        return true;
    case HOP_CREATED:
        order->broker.status = ORDER_HADES_CREATED;
        order->broker.has_cl_ord_id = true;
        order_updated(order, interned("Criação"), 0, 0);
        return true;
    case HOP_ACCEPTED:
        if (!refused_by_market(order)) {
            told(order, MESSAGE_ACCEPTED, interned("Aceita."));
        }
        return order->place != PLACE_DONE;
    default:
        order_accepted(order);
        return false;
    }
}

static void hop_reached(void *subject, int64_t hop) {
    Order *order = subject;
    if (order->place == PLACE_DONE || order->place == PLACE_LOST) {
        return;
    }
    if (refused_at(order, hop, connection_refusal(hop)) || refused_at(order, hop, order->plan.reject_code)) {
        return;
    }
    if (hop_done(order, hop)) {
        hop_scheduled(order, hop + 1);
    }
}

static void aggregated_refused(void *subject, int64_t unused) {
    (void)unused;
    Order *order = subject;
    order->broker.status = ORDER_NOT_CREATED;
    order_updated(order, interned("Ordem invalida."), 0, 0);
}

/* The broker counts the orders of the day and of the running minute. */
static bool is_over_limit(void) {
    static int64_t minute, in_minute, in_day;
    static int32_t day;
    const SimOrderFaults *limits = sim_order_faults();
    if (sim_clock_ns() / 60000000000 != minute) {
        minute = sim_clock_ns() / 60000000000;
        in_minute = 0;
    }
    if (sim_session_date(sim_now()) != day) {
        day = sim_session_date(sim_now());
        in_day = 0;
    }
    in_minute++;
    in_day++;
    return (limits->orders_per_minute && in_minute > limits->orders_per_minute) ||
           (limits->orders_per_day && in_day > limits->orders_per_day);
}

static OrderPlan plan_for(const Order *order) {
    SimOrderFaults *faults = sim_order_faults();
    OrderPlan plan = {.copies = 1};
    int64_t quantity = order->broker.quantity;
    if (sim_strikes(&faults->reject, quantity)) {
        plan.reject_code = (uint8_t)faults->reject_code;
        plan.reject_text = sim_length(faults->reject_text) ? interned_units(faults->reject_text) : NULL;
    }
    if (is_over_limit()) {
        plan.reject_code = MESSAGE_REJECTED_BROKER;
        plan.reject_text = interned("Limite de ordens excedido.");
    }
    if (sim_strikes(&faults->duplicate, quantity)) {
        int32_t spread = faults->duplicate_max - faults->duplicate_min + 1;
        int32_t more = (int32_t)(order_chance(order, CHANCE_COPIES, 0) * (spread > 0 ? spread : 1));
        plan.copies = (uint8_t)(faults->duplicate_min + more);
    }
    plan.dropped = sim_strikes(&faults->silent_drop, quantity);
    plan.mute = sim_strikes(&faults->mute, quantity);
    plan.expires = sim_strikes(&faults->expire, quantity);
    plan.stuck = sim_strikes(&faults->stuck, quantity) ? (uint8_t)faults->stuck_where : SIM_STUCK_NOT;
    plan.split = sim_strikes(&faults->partial, quantity);
    plan.stays = plan.split && faults->split_stays;
    plan.race = sim_strikes(&faults->cancel_race, quantity) ? (uint8_t)faults->race : SIM_RACE_NONE;
    plan.skips_statuses = sim_strikes(&faults->skip_statuses, quantity);
    plan.late_status = sim_strikes(&faults->late_status, quantity);
    plan.newer_details = sim_strikes(&faults->newer_details, quantity);
    return plan;
}

Order *order_submitted(const NewOrder *request) {
    Order *order = order_created(request->account, request->listing);
    bool is_stop = request->type == TYPE_STOP || request->type == TYPE_STOP_LIMIT;
    order->side = request->side;
    order->place = PLACE_LOCAL;
    order->created_at = sim_now();
    order->flow_started_ns = sim_clock_ns();
    order->broker.status = ORDER_CLIENT_CREATED;
    order->broker.type = request->type;
    order->broker.quantity = request->quantity;
    order->broker.price = request->type == TYPE_MARKET || request->type == TYPE_STOP ? -1 : request->price;
    order->broker.stop = is_stop ? request->stop : -1;
    order->broker.updated_at = order->created_at;
    order->broker.text = interned("");
    order->plan = plan_for(order);
    if (!routing_password_is(request->password)) {
        order->plan.dropped = true; /* the real one says nothing either: it stops after message 4 and vanishes */
    }
    order->client = order->broker;
    order->message_id = next_message_id();
    order_known_to_client(order);
    hop_scheduled(order, HOP_SENDING);
    return order;
}

/* ---- updates --------------------------------------------------------------------------------------------------- */

static void newest_again(void *subject, int64_t unused) {
    (void)unused;
    Order *order = subject;
    order->client = order->broker;
    announce_order(order);
}

static void late_status(void *subject, int64_t unused) {
    (void)unused;
    Order *order = subject;
    order->client = order->before_last;
    announce_order(order);
    trading_after(LATE_STATUS_STEPS * sim_order_faults()->step_ms, newest_again, order, 0);
}

static void client_updated(Order *order) {
    uint8_t status = order->broker.status;
    bool from_broker = status != ORDER_CLIENT_CREATED && status != ORDER_NOT_CREATED;
    if (!order->account->known || is_muted(order) || (from_broker && !routing_reaches_broker())) {
        return; /* events of a gap are not replayed: the next load of the orders shows what became of them */
    }
    order_known_to_client(order);
    order->before_last = order->client;
    order->client = order->broker;
    order->hidden_until_ns = SIM_AFTER_MS(sim_order_faults()->not_found_ms);
    announce_order(order);
    if (order->plan.late_status && is_terminal(order->broker.status)) {
        trading_after(LATE_STATUS_STEPS * sim_order_faults()->step_ms, late_status, order, 0);
    }
}

void order_updated(Order *order, PText text, int64_t fill, double fill_price) {
    OrderState *state = &order->broker;
    state->text = text;
    state->updated_at = sim_now();
    if (is_terminal(state->status)) {
        state->closed_at = state->updated_at;
        order->place = PLACE_DONE;
        order->cancel_pending = false;
        state->has_cl_ord_id = state->has_cl_ord_id || (order->cl_ord_id[0] && state->status == ORDER_REJECTED);
        order_leaves_book(order);
    }
    order->event_id = next_event_id();
    if (order->place >= PLACE_SENT) {
        broker_state_written(order, fill, fill_price);
    }
    bool intermediate = !is_terminal(state->status) && state->status != ORDER_CLIENT_CREATED;
    if (!(order->plan.skips_statuses && intermediate)) {
        client_updated(order);
    }
}

void order_filled(Order *order, int64_t quantity, double price) {
    OrderState *state = &order->broker;
    order->fills++;
    state->traded += quantity;
    state->traded_ticks += quantity * ticks_of(order->listing, price);
    state->status = state->traded == state->quantity ? ORDER_FILLED : ORDER_PARTIALLY_FILLED;
    position_traded(order, quantity, price, sim_now());
    order_updated(order, interned(""), quantity, price);
    position_found(order->account, order->listing)->event_id = order->event_id;
    if (order->account->known && routing_reaches_broker()) {
        announce_position(order->account, order->listing, order->event_id);
    }
}

void order_expired(Order *order) {
    order->broker.status = order->broker.traded ? ORDER_PARTIALLY_FILLED_EXPIRED : ORDER_EXPIRED;
    order_updated(order, interned("Expirada no fim do dia."), 0, 0);
}

void orders_expired(const Listing *listing) {
    Order *order;
    for (int64_t number = 0; (order = order_number(number)); number++) {
        bool at_broker = order->place == PLACE_SENT || order->place == PLACE_WORKING;
        if (at_broker && (!listing || order->listing == listing)) {
            order_expired(order);
        }
    }
}

void order_unmatched(Order *order) {
    order->broker.status = order->broker.traded ? ORDER_PARTIALLY_FILLED_CANCELED : ORDER_REJECTED;
    if (!order->broker.traded) {
        told(order, MESSAGE_REJECTED_MARKET, interned("Sem ofertas para a ordem a mercado."));
    }
    order_updated(order, interned("Sem ofertas para a ordem a mercado."), 0, 0);
}

/* Only the messages to the dead process are lost. */
void orders_resumed(void) {
    int32_t today = sim_session_date(sim_now());
    Order *order;
    for (int64_t number = 0; (order = order_number(number)); number++) {
        if (order->place == PLACE_DONE) {
            continue;
        }
        if (sim_session_date(order->created_at) < today) {
            order_expired(order);
            continue;
        }
        if (order->place == PLACE_SENT) {
            double passed = sim_order_faults()->first_ms + HOP_MARKET * sim_order_faults()->step_ms;
            order->flow_started_ns = sim_clock_ns() - ns_of(passed);
            hop_scheduled(order, HOP_CREATED);
        } else {
            if (order->broker.status == ORDER_PENDING_REPLACE) { /* nobody is left to want the change */
                order->broker.status = order->broker.traded ? ORDER_PARTIALLY_FILLED : ORDER_NEW;
            }
            order_enters_book(order);
        }
        if (order->cancel_pending) {
            cancel_resumed(order);
        }
    }
}
