/* Assets as orders see them: tick size and the working orders, found by the market's symbol index. */
#include <math.h>
#include <stdlib.h>

#include "trading.h"

static Listing **listings; /* by symbol; null where nobody has ordered */
static int32_t count;

static bool has_room(int32_t symbol) {
    if (symbol < count) {
        return true;
    }
    int32_t room = symbol + 64;
    Listing **more = realloc(listings, (size_t)room * sizeof *more);
    if (!more) {
        return false;
    }
    for (int32_t index = count; index < room; index++) {
        more[index] = NULL;
    }
    listings = more;
    count = room;
    return true;
}

int32_t listing_found(PText ticker, PText exchange, Listing **listing) {
    SimMarket market;
    int32_t refusal = sim_market(ticker, exchange, &market);
    if (refusal != NL_OK) {
        return refusal;
    }
    if (!has_room(market.symbol)) {
        return NL_INTERNAL_ERROR;
    }
    Listing *found = listings[market.symbol];
    if (!found) {
        found = calloc(1, sizeof *found);
        if (!found) {
            return NL_INTERNAL_ERROR;
        }
        found->symbol = market.symbol;
        sim_copy(found->ticker, SIM_TICKER, market.ticker);
        sim_copy(found->exchange, 2, market.exchange);
        found->tick = market.tick;
        found->aggregated = market.aggregated;
        listings[market.symbol] = found;
    }
    *listing = found;
    return NL_OK;
}

Listing *listing_of_symbol(int32_t symbol) {
    return symbol >= 0 && symbol < count ? listings[symbol] : NULL;
}

int64_t ticks_of(const Listing *listing, double price) {
    return llround(price / listing->tick);
}

bool is_tick_multiple(const Listing *listing, double price) {
    return fabs(price / listing->tick - (double)ticks_of(listing, price)) < 1e-6;
}
