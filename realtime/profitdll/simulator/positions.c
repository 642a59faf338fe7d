/* Positions kept from fills, and the functions that read them. */
#include <stdlib.h>
#include <string.h>

#include "trading.h"

static Position *positions; /* the newest first */

Position *position_found(const Account *account, const Listing *listing) {
    for (Position *position = positions; position; position = position->next) {
        if (position->account == account && position->listing == listing) {
            return position;
        }
    }
    return NULL;
}

Position *first_position(void) {
    return positions;
}

/* A new session leaves the open position as it is and begins the day's figures again. */
static void rolled(Position *position, int32_t session) {
    if (session > position->session) {
        position->session = session;
        memset(&position->day, 0, sizeof position->day);
        memset(&position->bought, 0, sizeof position->bought);
        memset(&position->sold, 0, sizeof position->sold);
    }
}

static Position *position_for(Account *account, Listing *listing) {
    Position *position = position_found(account, listing);
    if (!position) {
        position = calloc(1, sizeof *position);
        if (!position) {
            abort();
        }
        position->account = account;
        position->listing = listing;
        position->next = positions;
        positions = position;
    }
    return position;
}

void position_traded(const Order *order, int64_t quantity, double price, int64_t at) {
    Position *position = position_for(order->account, order->listing);
    int64_t change = order->side == SIDE_BUY ? quantity : -quantity;
    rolled(position, sim_session_date(at));
    holding_traded(&position->day, change, price);
    holding_traded(&position->whole, change, price);
    Turnover *turnover = order->side == SIDE_BUY ? &position->bought : &position->sold;
    turnover->quantity += quantity;
    turnover->value += price * (double)quantity;
    position->event_id = order->event_id;
}

const Holding *position_holding(const Position *position, uint8_t position_type) {
    return position_type == POSITION_DAY_TRADE ? &position->day : &position->whole;
}

void positions_announced(const Account *account) {
    for (Position *position = positions; position; position = position->next) {
        if (position->account == account) {
            announce_position(account, NULL, next_event_id());
            return;
        }
    }
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

static int64_t magnitude(int64_t net) {
    return net < 0 ? -net : net;
}

static double average(const Turnover *turnover) {
    return turnover->quantity ? turnover->value / (double)turnover->quantity : 0;
}

/* What the working orders of `side` may still trade. */
static int64_t working(const Position *position, uint8_t side) {
    const Order *order = side == SIDE_BUY ? position->listing->buys : position->listing->sells;
    int64_t sum = 0;
    for (; order; order = order->next_in_book) {
        sum += order->account == position->account ? leaves_of(&order->broker) : 0;
    }
    return sum;
}

static void position_shown(const Position *position, TConnectorTradingAccountPosition *into) {
    uint8_t type = into->Version >= 1 ? into->PositionType : POSITION_CONSOLIDATED;
    const Holding *holding = position_holding(position, type);
    int64_t open = magnitude(holding->net);
    int64_t closing = working(position, holding->net > 0 ? SIDE_SELL : SIDE_BUY);
    into->OpenQuantity = open;
    into->OpenAveragePrice = holding->average;
    into->OpenSide = holding->net > 0 ? OPEN_BOUGHT : holding->net < 0 ? OPEN_SOLD : OPEN_FLAT;
    into->DailyAverageSellPrice = average(&position->sold);
    into->DailySellQuantity = position->sold.quantity;
    into->DailyAverageBuyPrice = average(&position->bought);
    into->DailyBuyQuantity = position->bought.quantity;
    into->DailyQuantityD1 = into->DailyQuantityD2 = into->DailyQuantityD3 = 0;
    into->DailyQuantityBlocked = into->DailyQuantityAlloc = into->DailyQuantityProvision = 0;
    into->DailyQuantityPending = working(position, SIDE_BUY) + working(position, SIDE_SELL);
    into->DailyQuantity = magnitude(position->whole.net - position->day.net); /* what the day began with */
    into->DailyQuantityAvailable = open > closing ? open - closing : 0;
    if (into->Version >= 2) {
        into->EventID = position->event_id;
    }
}

static int32_t position_read(TConnectorTradingAccountPosition *into) {
    Listing *listing;
    const Account *account = account_of(&into->AccountID);
    if (!account) {
        return NL_NOT_FOUND;
    }
    if (into->Version >= 1 && into->PositionType != POSITION_DAY_TRADE &&
        into->PositionType != POSITION_CONSOLIDATED) {
        return NL_INVALID_ARGS;
    }
    int32_t refusal = listing_found(into->AssetID.Ticker, into->AssetID.Exchange, &listing);
    if (refusal != NL_OK) {
        return refusal;
    }
    Position *position = position_found(account, listing);
    if (!position || !sim_order_history_enabled()) {
        return NL_NO_POSITION; /* without the orders there is nothing to build a position from */
    }
    rolled(position, sim_session_date(sim_now()));
    position_shown(position, into);
    return NL_OK;
}

API GetPositionV2(TConnectorTradingAccountPosition *position) {
    SIM_ROUTING_REQUEST("GetPositionV2");
    if (!position) {
        return NL_INVALID_ARGS;
    }
    if (position->Version > 2 || position->AccountID.Version > 0 || position->AssetID.Version > 0) {
        sim_version_error();
        return NL_VERSION_NOT_SUPPORTED;
    }
    sim_lock();
    int32_t result = position_read(position);
    sim_unlock();
    return result;
}

/* ---- enumeration: collected under the lock, shown without it ------------------------------------------------------------ */

typedef struct ShownAsset {
    char16_t ticker[SIM_TICKER], exchange[2];
} ShownAsset;

static ShownAsset *assets_collected(const TConnectorAccountIdentifier *identifier, int32_t *count, int32_t *result) {
    const Account *account = account_of(identifier);
    ShownAsset *assets = NULL;
    *count = 0;
    *result = account ? NL_OK : NL_NOT_FOUND;
    for (Position *position = positions; account && position; position = position->next) {
        *count += position->account == account;
    }
    if (*count && !(assets = calloc((size_t)*count, sizeof *assets))) {
        *result = NL_INTERNAL_ERROR;
        return NULL;
    }
    int32_t at = *count; /* the list holds the newest first */
    for (Position *position = positions; assets && position; position = position->next) {
        if (position->account == account) {
            sim_copy(assets[--at].ticker, SIM_TICKER, position->listing->ticker);
            sim_copy(assets[at].exchange, 2, position->listing->exchange);
        }
    }
    return assets;
}

API EnumerateAllPositionAssets(const TConnectorAccountIdentifier *account, uint8_t version, intptr_t user,
                               TEnumerateAssets proc) {
    SIM_ROUTING_REQUEST("EnumerateAllPositionAssets");
    if (!account || !proc) {
        return NL_INVALID_ARGS;
    }
    if (account->Version > 0 || version > 0) {
        sim_version_error();
        return NL_VERSION_NOT_SUPPORTED;
    }
    int32_t count, result;
    sim_lock();
    ShownAsset *assets = assets_collected(account, &count, &result);
    sim_unlock();
    for (int32_t index = 0, more = 1; assets && more && index < count; index++) {
        TConnectorAssetIdentifier *shown = malloc(sizeof *shown);
        if (!shown) {
            break;
        }
        *shown = (TConnectorAssetIdentifier){0, assets[index].ticker, assets[index].exchange, 0};
        more = proc(shown, user);
        memset(&assets[index], 0xDD, sizeof *assets); /* a kept pointer must not go on working by luck */
        memset(shown, 0xDD, sizeof *shown);
        free(shown);
    }
    free(assets);
    return result;
}
