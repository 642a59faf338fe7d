/* Every order of this login and every order that the broker still knows, in order of creation. */
#include <stdlib.h>

#include "trading.h"

enum { BUCKETS = 1 << 16 };

static Order **orders;
static int64_t order_count, order_room;
static Order **local_orders; /* index: LocalOrderID - 1 */
static int64_t local_count, local_room;
static Order *by_cl_ord_id[BUCKETS];
static int64_t next_cl_number = 1;

static void *grown(void *items, int64_t *room) {
    *room = *room ? *room * 2 : 1024;
    void *more = realloc(items, (size_t)*room * sizeof(void *));
    if (!more) {
        abort(); /* a broker that forgets orders would be worse than none */
    }
    return more;
}

Order *order_created(Account *account, Listing *listing) {
    if (order_count == order_room) {
        orders = grown(orders, &order_room);
    }
    Order *order = calloc(1, sizeof *order);
    if (!order) {
        abort();
    }
    order->number = order_count;
    order->account = account;
    order->listing = listing;
    order->plan.copies = 1;
    orders[order_count++] = order;
    return order;
}

Order *order_number(int64_t index) {
    return index >= 0 && index < order_count ? orders[index] : NULL;
}

void order_known_to_client(Order *order) {
    if (order->local_id) {
        return;
    }
    if (local_count == local_room) {
        local_orders = grown(local_orders, &local_room);
    }
    local_orders[local_count++] = order;
    order->local_id = local_count;
}

Order *order_by_local_id(int64_t local_id) {
    return local_id >= 1 && local_id <= local_count ? local_orders[local_id - 1] : NULL;
}

static uint32_t bucket_of(PText id) {
    uint32_t hash = 2166136261u;
    for (; *id; id++) {
        hash = (hash ^ *id) * 16777619u;
    }
    return hash % BUCKETS;
}

Order *order_by_cl_ord_id(PText id) {
    for (Order *order = by_cl_ord_id[bucket_of(id)]; order; order = order->next_by_cl_ord_id) {
        if (sim_same(order->cl_ord_id, id)) {
            return order;
        }
    }
    return NULL;
}

static void indexed(Order *order) {
    Order **bucket = &by_cl_ord_id[bucket_of(order->cl_ord_id)];
    order->next_by_cl_ord_id = *bucket;
    *bucket = order;
}

void cl_ord_id_assigned(Order *order) {
    char text[CL_ORD_ID_UNITS] = "SIM";
    int64_t number = next_cl_number++;
    for (int at = 14; at >= 3; at--, number /= 10) {
        text[at] = (char)('0' + number % 10);
    }
    sim_widen(order->cl_ord_id, CL_ORD_ID_UNITS, text);
    indexed(order);
}

void order_restored(Order *order) {
    int64_t number = 0;
    for (PText unit = order->cl_ord_id; *unit; unit++) {
        number = *unit >= '0' && *unit <= '9' ? number * 10 + (*unit - '0') : 0;
    }
    if (number >= next_cl_number) {
        next_cl_number = number + 1; /* the broker never gives an id twice */
    }
    indexed(order);
}

/* ---- states ------------------------------------------------------------------------------------------------------ */

bool is_terminal(uint8_t status) {
    switch (status) {
    case ORDER_FILLED:
    case ORDER_DONE_FOR_DAY:
    case ORDER_CANCELED:
    case ORDER_REJECTED:
    case ORDER_EXPIRED:
    case ORDER_PARTIALLY_FILLED_CANCELED:
    case ORDER_PARTIALLY_FILLED_EXPIRED:
    case ORDER_PARTIALLY_FILLED_REJECTED:
    case ORDER_NOT_CREATED:
    case ORDER_CANCELED_BY_ADMIN:
        return true;
    default:
        return false;
    }
}

int64_t leaves_of(const OrderState *state) {
    return is_terminal(state->status) ? 0 : state->quantity - state->traded;
}

double average_of(const Order *order, const OrderState *state) {
    return state->traded ? (double)state->traded_ticks * order->listing->tick / (double)state->traded : 0;
}

/* ---- texts: few and repeated, so each is kept once and never freed ------------------------------------------------- */

typedef struct Interned {
    struct Interned *next;
    char16_t text[];
} Interned;

static Interned *interned_texts;

PText interned_units(PText text) {
    for (Interned *each = interned_texts; each; each = each->next) {
        if (sim_same(each->text, text)) {
            return each->text;
        }
    }
    size_t units = sim_length(text) + 1;
    Interned *fresh = malloc(sizeof *fresh + units * sizeof *fresh->text);
    if (!fresh) {
        abort();
    }
    sim_copy(fresh->text, units, text);
    fresh->next = interned_texts;
    interned_texts = fresh;
    return fresh->text;
}

PText interned(const char *utf8) {
    char16_t text[SIM_TEXT];
    sim_widen(text, SIM_TEXT, utf8);
    return interned_units(text);
}
