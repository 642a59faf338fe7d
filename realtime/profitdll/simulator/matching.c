/* The simulated market's side of our orders: marketable ones trade against the quote, resting ones against the tape.
 *
 * Among themselves our orders share what a trade offers by price, then time. Fills against the quote are printed on
 * the tape like anybody's; a resting order takes part in a trade that the tape has printed already. */
#include <math.h>
#include <stddef.h>

#include "trading.h"

enum { OWN_AGENT = 3001, OTHER_AGENT = 85, LEVEL_LOTS = 20 };

static bool printing; /* our own trade is passing through the market: it must not match again */

static void aggression(void *subject, int64_t unused);

static int64_t smaller(int64_t left, int64_t right) {
    return left < right ? left : right;
}

/* ---- the book of working orders ---------------------------------------------------------------------------------- */

static bool is_waiting_stop(const Order *order) {
    bool stop_type = order->broker.type == TYPE_STOP || order->broker.type == TYPE_STOP_LIMIT;
    return stop_type && !order->triggered;
}

static bool is_priced(const Order *order) {
    return order->broker.type == TYPE_LIMIT || order->broker.type == TYPE_STOP_LIMIT;
}

static Order **side_of(Order *order) {
    if (is_waiting_stop(order)) {
        return &order->listing->stops;
    }
    return order->side == SIDE_BUY ? &order->listing->buys : &order->listing->sells;
}

static bool comes_before(const Order *left, const Order *right) {
    if (is_waiting_stop(left) || left->limit_ticks == right->limit_ticks) {
        return false; /* the earlier one stays ahead */
    }
    return left->side == SIDE_BUY ? left->limit_ticks > right->limit_ticks : left->limit_ticks < right->limit_ticks;
}

static void placed(Order *order) {
    Order **link = side_of(order);
    while (*link && !comes_before(order, *link)) {
        link = &(*link)->next_in_book;
    }
    order->next_in_book = *link;
    *link = order;
    order->in_book = true;
}

void order_leaves_book(Order *order) {
    if (!order->in_book) {
        return;
    }
    Order **link = side_of(order);
    while (*link != order) {
        link = &(*link)->next_in_book;
    }
    *link = order->next_in_book;
    order->in_book = false;
}

/* ---- fills ----------------------------------------------------------------------------------------------------------- */

/* The next fill. The script may cut an order into parts of its own, whatever quantities the market offers. */
static int64_t next_fill(const Order *order, int64_t offered) {
    const SimOrderFaults *faults = sim_order_faults();
    int64_t leaves = leaves_of(&order->broker);
    if (!order->plan.split) {
        return smaller(leaves, offered);
    }
    if (order->fills >= faults->splits) {
        return order->plan.stays ? 0 : leaves;
    }
    int64_t part = order->broker.quantity * faults->split[order->fills] / 100;
    return smaller(part > 0 ? part : 1, leaves);
}

/* What the book held at the level that the order takes; the quote tells prices only. */
static int64_t level_quantity(const Order *order) {
    int64_t lots = 1 + (int64_t)(order_chance(order, CHANCE_LIQUIDITY, order->fills) * LEVEL_LOTS);
    SimMarket market;
    return lots * (sim_market_of(order->listing->symbol, &market) && market.lot > 0 ? market.lot : 1);
}

/* Scripted improvement, on top of what the market gives; never below one tick. */
static double improved(const Order *order, double price) {
    int64_t ticks = ticks_of(order->listing, price);
    int64_t gain = is_priced(order) ? sim_order_faults()->improvement_ticks : 0;
    int64_t bettered = order->side == SIDE_BUY ? smaller(ticks, order->limit_ticks - gain) : ticks;
    if (order->side == SIDE_SELL && is_priced(order) && order->limit_ticks + gain > ticks) {
        bettered = order->limit_ticks + gain;
    }
    return (double)(bettered > 0 ? bettered : 1) * order->listing->tick;
}

static bool crosses(const Order *order, int64_t ticks) {
    return order->side == SIDE_BUY ? ticks <= order->limit_ticks : ticks >= order->limit_ticks;
}

/* ---- against the quote --------------------------------------------------------------------------------------------- */

/* Whether the order could trade at once; then `price` is what the other side offers. */
static bool is_marketable(const Order *order, const SimMarket *market, double *price) {
    *price = order->side == SIDE_BUY ? market->ask : market->bid;
    bool quoted = *price > 0;
    if (!quoted) {
        *price = market->last;
    }
    if (market->state != ASSET_OPENED || !(*price > 0) || (is_priced(order) && !quoted)) {
        return false;
    }
    return !is_priced(order) || crosses(order, ticks_of(order->listing, *price));
}

static void aggression_scheduled(Order *order) {
    if (!order->aggressing) {
        order->aggressing = true;
        trading_after(sim_order_faults()->step_ms, aggression, order, 0);
    }
}

/* A market order that has eaten a level goes on one tick further away. */
static double swept(const Order *order, double price) {
    double step = is_priced(order) ? 0 : order->listing->tick * (double)order->sweeps;
    return order->side == SIDE_BUY ? price + step : price - step;
}

static void printed(const Order *order, double price, int64_t quantity) {
    bool buys = order->side == SIDE_BUY;
    printing = true;
    sim_print_trade(order->listing->symbol, price, quantity, buys ? OWN_AGENT : OTHER_AGENT,
                    buys ? OTHER_AGENT : OWN_AGENT, order->side);
    printing = false;
}

static void aggression(void *subject, int64_t unused) {
    (void)unused;
    Order *order = subject;
    SimMarket market;
    double price;
    order->aggressing = false;
    if (order->place != PLACE_WORKING || is_waiting_stop(order) || !sim_market_of(order->listing->symbol, &market)) {
        return;
    }
    if (!is_marketable(order, &market, &price)) {
        if (!is_priced(order)) {
            order_unmatched(order);
        }
        return;
    }
    int64_t level = level_quantity(order);
    int64_t quantity = next_fill(order, level);
    if (quantity == 0) {
        return; /* the rest stays */
    }
    price = improved(order, swept(order, price));
    order->sweeps += quantity == level;
    order_filled(order, quantity, price);
    printed(order, price, quantity);
    if (order->place == PLACE_WORKING) {
        aggression_scheduled(order);
    }
}

/* The other side came while a cancel was on its way. */
void order_race_filled(Order *order, int64_t quantity) {
    SimMarket market;
    double price = order->broker.price;
    if (!is_priced(order)) {
        price = sim_market_of(order->listing->symbol, &market) && market.last > 0 ? market.last : order->listing->tick;
    }
    if (quantity > 0) {
        order_filled(order, quantity, price);
    }
}

/* ---- against the tape ---------------------------------------------------------------------------------------------- */

static bool is_stop_hit(const Order *order, int64_t ticks) {
    int64_t stop = ticks_of(order->listing, order->broker.stop);
    return order->side == SIDE_BUY ? ticks >= stop : ticks <= stop;
}

static void stops_hit(const Listing *listing, int64_t ticks) {
    Order *next;
    for (Order *order = listing->stops; order; order = next) {
        next = order->next_in_book;
        if (is_stop_hit(order, ticks)) {
            order_leaves_book(order);
            order->triggered = true;
            order_enters_book(order);
        }
    }
}

static bool takes_part(const Order *order, int64_t ticks) {
    return ticks == order->limit_ticks ? sim_order_faults()->fill_at_touch : crosses(order, ticks);
}

static void side_traded(Order *order, int64_t ticks, int64_t quantity) {
    Order *next;
    for (; order && quantity > 0; order = next) {
        next = order->next_in_book;
        if (!is_priced(order)) {
            continue; /* it is sweeping the book on its own */
        }
        if (!takes_part(order, ticks)) {
            return; /* the book is sorted: nobody behind takes part either */
        }
        int64_t fill = next_fill(order, quantity);
        if (fill == 0) {
            continue;
        }
        quantity -= fill;
        order_filled(order, fill, improved(order, (double)order->limit_ticks * order->listing->tick));
    }
}

/* The quote has moved over a resting order. */
static void side_quoted(Order *order, double price) {
    for (; order && price > 0 && (!is_priced(order) || crosses(order, ticks_of(order->listing, price)));
         order = order->next_in_book) {
        aggression_scheduled(order);
    }
}

void matching_on_tick(const SimTick *tick) {
    Listing *listing = listing_of_symbol(tick->symbol);
    if (!listing || printing || !(listing->buys || listing->sells || listing->stops)) {
        return;
    }
    SimMarket market;
    if (tick->quantity == 0 && sim_market_of(tick->symbol, &market) && market.state != ASSET_OPENED) {
        if (market.state == ASSET_CLOSED) {
            orders_expired(listing);
        }
        return;
    }
    if (tick->quantity > 0) {
        int64_t ticks = ticks_of(listing, tick->price);
        stops_hit(listing, ticks);
        side_traded(listing->buys, ticks, tick->quantity);
        side_traded(listing->sells, ticks, tick->quantity);
    }
    side_quoted(listing->buys, tick->ask);
    side_quoted(listing->sells, tick->bid);
}

void order_enters_book(Order *order) {
    SimMarket market;
    double price;
    bool quoted = sim_market_of(order->listing->symbol, &market);
    if (order->place != PLACE_WORKING) {
        return;
    }
    if (is_waiting_stop(order) && quoted && market.state == ASSET_OPENED && market.last > 0 &&
        is_stop_hit(order, ticks_of(order->listing, market.last))) {
        order->triggered = true;
    }
    int64_t unlimited = order->side == SIDE_BUY ? INT64_MAX / 2 : 0;
    order->limit_ticks = is_priced(order) ? ticks_of(order->listing, order->broker.price) : unlimited;
    placed(order);
    if (is_waiting_stop(order)) {
        return;
    }
    if (!is_priced(order)) {
        aggression(order, 0); /* straight from sent to filled */
    } else if (quoted && is_marketable(order, &market, &price)) {
        aggression_scheduled(order);
    }
}
