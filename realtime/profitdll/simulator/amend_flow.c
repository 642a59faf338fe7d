/* Cancels and changes on their way to the market, and the races they run against fills.
 *
 * A request passes the same hops as an order under a MessageID of its own; the order's status tells what became of it. */
#include <stdlib.h>

#include "trading.h"

enum Hop { HOP_PROXY, HOP_HADES, HOP_BROKER, HOP_MARKET, HOP_PENDING, HOP_RACE, HOP_FINAL };

/* Parts of the whole way, in hundredths. */
static const int32_t part_of_way[] = {10, 20, 30, 40, 50, 75, 100};
enum { NOT_YET_THERE_MS = 2 };

typedef struct Amend {
    Order *order;
    bool is_cancel, lost;
    uint8_t race, reject_code;
    double price, stop;
    int64_t quantity, message_id, started_ns, way_ns;
} Amend;

static int32_t rejections_left;
static uint8_t rejection_code;

static void hop_reached(void *subject, int64_t hop);

static void hop_scheduled(Amend *amend, int64_t hop) {
    trading_at(amend->started_ns + amend->way_ns / 100 * part_of_way[hop], hop_reached, amend, hop);
}

static void told(const Amend *amend, uint8_t code, const char *text) {
    if (amend->message_id && !is_muted(amend->order)) {
        announce_message(amend->order, amend->message_id, code, interned(text));
    }
}

static uint8_t standing_status(const Order *order) {
    return order->broker.traded ? ORDER_PARTIALLY_FILLED : ORDER_NEW;
}

static void turned_down(Amend *amend, uint8_t code, const char *text) {
    Order *order = amend->order;
    told(amend, code, text);
    order->cancel_pending = order->cancel_pending && !amend->is_cancel;
    order->replace_pending = order->replace_pending && amend->is_cancel;
    if (order->broker.status == (amend->is_cancel ? ORDER_PENDING_CANCEL : ORDER_PENDING_REPLACE)) {
        order->broker.status = standing_status(order);
        order_updated(order, interned(text), 0, 0);
    }
}

static void pending_shown(Amend *amend) {
    Order *order = amend->order;
    bool straight = amend->race == SIM_RACE_FILL_FIRST || amend->race == SIM_RACE_CANCEL_FIRST;
    order->cancel_pending = amend->is_cancel;
    order->replace_pending = !amend->is_cancel;
    if (amend->race == SIM_RACE_FILL_FIRST) {
        order_race_filled(order, leaves_of(&order->broker));
    } else if (!straight) {
        order->broker.status = amend->is_cancel ? ORDER_PENDING_CANCEL : ORDER_PENDING_REPLACE;
        order_updated(order, interned(""), 0, 0);
    }
}

static void race_run(Amend *amend) {
    if (amend->race == SIM_RACE_REMAINDER) {
        order_race_filled(amend->order, leaves_of(&amend->order->broker));
    }
}

static void canceled(Amend *amend) {
    Order *order = amend->order;
    order->broker.status = order->broker.traded ? ORDER_PARTIALLY_FILLED_CANCELED : ORDER_CANCELED;
    order_updated(order, interned("Cancelada."), 0, 0);
    told(amend, MESSAGE_ACCEPTED, "Cancelamento aceito.");
}

static void replaced(Amend *amend) {
    Order *order = amend->order;
    OrderState *state = &order->broker;
    order->replace_pending = false;
    if (amend->quantity <= state->traded) {
        turned_down(amend, MESSAGE_REJECTED_MARKET, "Quantidade menor ou igual à executada.");
        return;
    }
    order_leaves_book(order);
    state->quantity = amend->quantity;
    if (state->type != TYPE_MARKET && state->type != TYPE_STOP) {
        state->price = amend->price;
    }
    if (!order->triggered && (state->type == TYPE_STOP || state->type == TYPE_STOP_LIMIT)) {
        state->stop = amend->stop;
    }
    state->status = state->traded ? ORDER_PARTIALLY_FILLED : ORDER_REPLACED;
    order_updated(order, interned("Alterada."), 0, 0);
    told(amend, MESSAGE_ACCEPTED, "Alteração aceita.");
    order_enters_book(order);
}

static void concluded(Amend *amend) {
    Order *order = amend->order;
    if (order->place == PLACE_DONE) {
        turned_down(amend, MESSAGE_REJECTED_MARKET, "Ordem já encerrada.");
    } else if (amend->is_cancel) {
        canceled(amend);
    } else {
        replaced(amend);
    }
}

static bool refused_at(Amend *amend, int64_t hop) {
    if (hop == HOP_PROXY && !routing_reaches_server()) {
        turned_down(amend, MESSAGE_NOT_CONNECTED, "Sem conexão com o servidor de ordens.");
        return true;
    }
    if (hop == HOP_BROKER && broker_is_down()) {
        turned_down(amend, MESSAGE_REJECTED_HADES, "Corretora desconectada.");
        return true;
    }
    bool here = (amend->reject_code == MESSAGE_REJECTED_MERCURY && hop == HOP_HADES) ||
                (amend->reject_code == MESSAGE_REJECTED_HADES && hop == HOP_BROKER) ||
                (amend->reject_code == MESSAGE_REJECTED_BROKER && hop == HOP_MARKET) ||
                (amend->reject_code == MESSAGE_REJECTED_MARKET && hop == HOP_FINAL);
    if (here) {
        turned_down(amend, amend->reject_code, "Pedido rejeitado.");
    }
    return here;
}

/* False: the request goes no further. */
static bool hop_done(Amend *amend, int64_t hop) {
    Order *order = amend->order;
    bool done = order->place == PLACE_DONE;
    switch (hop) {
    case HOP_PROXY:
        told(amend, MESSAGE_SENT_TO_HADES_PROXY, "Enviada ao HadesProxy.");
        return true;
    case HOP_HADES:
        told(amend, MESSAGE_SENT_TO_HADES, "Enviada ao Hades.");
        return !amend->lost && order->place != PLACE_LOST && order->plan.stuck != SIM_STUCK_SENT;
    case HOP_BROKER:
        told(amend, MESSAGE_SENT_TO_BROKER, "Enviada à corretora.");
        return true;
    case HOP_MARKET:
        told(amend, MESSAGE_SENT_TO_MARKET, "Enviada ao mercado.");
        return true;
    case HOP_PENDING:
        if (!done) {
            pending_shown(amend);
        }
        return done || order->plan.stuck != SIM_STUCK_PENDING;
    case HOP_RACE:
        if (!done) {
            race_run(amend);
        }
        return true;
    default:
        concluded(amend);
        return false;
    }
}

static void hop_reached(void *subject, int64_t hop) {
    Amend *amend = subject;
    uint8_t place = amend->order->place;
    if (hop == HOP_PENDING && (place == PLACE_LOCAL || place == PLACE_SENT)) {
        amend->started_ns += NOT_YET_THERE_MS * 1000000; /* it cannot overtake its own order */
        hop_scheduled(amend, hop);
        return;
    }
    if (!refused_at(amend, hop) && hop_done(amend, hop)) {
        hop_scheduled(amend, hop + 1);
    } else {
        free(amend);
    }
}

static Amend *amend_created(Order *order, bool is_cancel) {
    const SimOrderFaults *pace = sim_order_faults();
    Amend *amend = calloc(1, sizeof *amend);
    if (!amend) {
        abort();
    }
    double spread = pace->cancel_max_ms - pace->cancel_min_ms;
    amend->order = order;
    amend->is_cancel = is_cancel;
    amend->started_ns = sim_clock_ns();
    amend->way_ns = (int64_t)(1e6 * (pace->cancel_min_ms + order_chance(order, CHANCE_CANCEL_TIME, 0) * spread));
    return amend;
}

void cancels_rejected_next(int32_t count, uint8_t code) {
    rejections_left = count;
    rejection_code = code;
}

int64_t cancel_submitted(Order *order, PText password) {
    Amend *amend = amend_created(order, true);
    amend->race = order->plan.race;
    if (rejections_left > 0) {
        rejections_left--;
        amend->reject_code = rejection_code;
    }
    amend->lost = !routing_password_is(password);
    amend->message_id = next_message_id();
    hop_scheduled(amend, HOP_PROXY);
    return amend->message_id;
}

int64_t change_submitted(Order *order, double price, double stop, int64_t quantity, PText password) {
    Amend *amend = amend_created(order, false);
    amend->price = price;
    amend->stop = stop;
    amend->quantity = quantity;
    amend->lost = !routing_password_is(password);
    amend->message_id = next_message_id();
    hop_scheduled(amend, HOP_PROXY);
    return amend->message_id;
}

/* The cancel had reached the market when our process died; nobody waits for its messages any more. */
void cancel_resumed(Order *order) {
    hop_scheduled(amend_created(order, true), HOP_FINAL);
}
