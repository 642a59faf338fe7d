/* The universe of symbols, dated contracts and the aggregated tickers that follow them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "market.h"

static struct {
    Symbol symbol[MAX_SYMBOLS];
    int32_t count;
} assets;

typedef struct Listed {
    const char *name, *text;
    char exchange;
    double price, tick, multiplier, rate;
    int64_t lot;
    int32_t security, sub_type;
    const char *root;
} Listed;

static const Listed listed[] = {
    {"PETR4", "PETROBRAS PN", 'B', 38.42, 0.01, 1, 1.5, 100, SECURITY_STOCK, 26, ""},
    {"VALE3", "VALE ON", 'B', 61.87, 0.01, 1, 1.5, 100, SECURITY_STOCK, 25, ""},
    {"ITUB4", "ITAU UNIBANCO PN", 'B', 33.15, 0.01, 1, 1, 100, SECURITY_STOCK, 26, ""},
    {"WINFUT", "MINI INDICE", 'F', 131250, 5, 0.2, 15, 1, SECURITY_FUTURE, 13, "WIN"},
    {"WDOFUT", "MINI DOLAR", 'F', 5412.5, 0.5, 10, 6, 1, SECURITY_FUTURE, 13, "WDO"},
    {"INDFUT", "IBOVESPA FUTURO", 'F', 131250, 5, 1, 1.5, 5, SECURITY_FUTURE, 2, "IND"},
    {"DOLFUT", "DOLAR FUTURO", 'F', 5412.5, 0.5, 50, 1.5, 5, SECURITY_FUTURE, 4, "DOL"},
    {"WINX99", "MINI INDICE DEMO", 'F', 131250, 5, 0.2, 9, 1, SECURITY_FUTURE, 13, ""},
    {"WDOX99", "MINI DOLAR DEMO", 'F', 5412.5, 0.5, 10, 5, 1, SECURITY_FUTURE, 13, ""},
    {"DEMO4", "ACAO DEMO PN", 'B', 38.42, 0.01, 1, 2, 100, SECURITY_STOCK, 26, ""},
};
static const char month_letters[] = "FGHJKMNQUVXZ";

int32_t symbol_count(void) { return assets.count; }
Symbol *symbol_at(int32_t index) { return index >= 0 && index < assets.count ? &assets.symbol[index] : NULL; }

Symbol *symbol_named(const char *name) {
    for (int32_t k = 0; k < assets.count; k++)
        if (strcmp(assets.symbol[k].name, name) == 0) return &assets.symbol[k];
    return NULL;
}

static Symbol *added(const char *name, const Listed *model) {
    if (assets.count == MAX_SYMBOLS) return NULL;
    Symbol *symbol = &assets.symbol[assets.count];
    *symbol = (Symbol){.index = (int16_t)assets.count++, .follows = -1, .follower = -1, .entry = -1, .state = ASSET_CLOSED, .lose = -1,
                       .price = model->price, .tick = model->tick, .multiplier = model->multiplier,
                       .rate = model->rate, .lot = model->lot, .security = model->security,
                       .sub_type = model->sub_type};
    snprintf(symbol->name, sizeof symbol->name, "%s", name);
    snprintf(symbol->root, sizeof symbol->root, "%s", model->root);
    snprintf(symbol->text, sizeof symbol->text, "%s", model->text);
    sim_widen(symbol->ticker, SIM_TICKER, name);
    symbol->exchange[0] = (char16_t)model->exchange;
    return symbol;
}

/* What a point of a contract is worth says its root; of other futures as of the mini index. */
static double multiplier_of(const char *name, char exchange) {
    if (exchange != 'F') return 1;
    for (size_t k = 0; k < sizeof listed / sizeof *listed; k++)
        if (listed[k].root[0] && strncmp(listed[k].root, name, 3) == 0) return listed[k].multiplier;
    return 0.2;
}

/* A script's `symbol` line: a new one, or other figures for a known one. */
const char *assets_add(const char *name, char exchange, double price, double tick, int64_t lot, double rate) {
    Symbol *symbol = symbol_named(name);
    if (!symbol) {
        Listed model = {name, name, exchange, price, tick, multiplier_of(name, exchange), rate, lot,
                        exchange == 'F' ? SECURITY_FUTURE : SECURITY_STOCK, exchange == 'F' ? 13 : 19, ""};
        if (strlen(name) > 20) return "a ticker has at most 20 characters";
        return added(name, &model) ? NULL : "too many symbols";
    }
    symbol->exchange[0] = (char16_t)exchange;
    if (price > 0) symbol->price = price;
    if (tick > 0) symbol->tick = tick;
    if (lot > 0) symbol->lot = lot;
    if (rate >= 0) symbol->rate = rate;
    return NULL;
}

/* Index futures: the Wednesday nearest the 15th of even months. Dollar: the first working day of every month. */
static int32_t expiry_of(bool dollar, int32_t year, int32_t month) {
    int64_t day = date_days(year * 10000 + month * 100 + (dollar ? 1 : 15));
    int32_t weekday = (int32_t)((day + 4) % 7); /* 0 Sunday */
    if (!dollar) return days_date(day + 3 - weekday);
    return days_date(weekday == 6 ? day + 2 : weekday == 0 ? day + 1 : day);
}

static bool of_dollar(const char *root) { return root[0] == 'W' ? root[1] == 'D' : root[0] == 'D'; }

/* Index futures trade on the day itself, dollar futures end on the session before. */
static bool is_over(bool dollar, int32_t expiry, int32_t session) { return dollar ? session >= expiry : session > expiry; }

static void add_contracts(Symbol *front, const Listed *model, int32_t session) {
    bool dollar = of_dollar(model->root);
    int32_t step = dollar ? 1 : 2, year = session / 10000, month = session / 100 % 100, known = 0;
    if (!dollar && month % 2) month++;
    if (is_over(dollar, expiry_of(dollar, year, month), session)) month += step;
    month -= 2 * step; /* two that expired, the current, the next: 30 days of history may cross a roll */
    for (; known < 4; known++, month += step) {
        int32_t y = year + (month < 1 ? -1 : month > 12 ? 1 : 0), m = (month + 11) % 12 + 1;
        char name[16];
        snprintf(name, sizeof name, "%.3s%c%02d", model->root, month_letters[m - 1], y % 100);
        Symbol *contract = symbol_named(name);
        if (!contract) contract = added(name, model);
        if (contract) contract->expiry = expiry_of(dollar, y, m);
        if (contract) contract->rate = front->rate;
    }
}

bool symbol_over(const Symbol *symbol, int32_t session) {
    return symbol->expiry && is_over(of_dollar(symbol->root), symbol->expiry, session);
}

bool symbol_expired(const Symbol *symbol, int32_t session) {
    return symbol_over(symbol, session) || (symbol->rolled && session >= symbol->rolled);
}

int16_t symbol_source(const Symbol *symbol, int32_t session) {
    if (!symbol->aggregated) return symbol->index;
    const Symbol *nearest = NULL;
    for (int32_t k = 0; k < assets.count; k++) {
        const Symbol *other = &assets.symbol[k];
        if (other->aggregated || !other->expiry || strcmp(other->root, symbol->root) != 0) continue;
        if (!symbol_expired(other, session) && (!nearest || other->expiry < nearest->expiry)) nearest = other;
    }
    return nearest ? nearest->index : -1;
}

void assets_session(int32_t session) {
    for (int32_t k = 0; k < assets.count; k++) assets.symbol[k].follower = -1;
    for (int32_t k = 0; k < assets.count; k++) {
        Symbol *front = &assets.symbol[k];
        if (!front->aggregated) continue;
        front->follows = symbol_source(front, session);
        if (front->follows >= 0) assets.symbol[front->follows].follower = front->index;
    }
}

const char *assets_roll(const char *root) {
    int32_t session = sim_session_date(sim_now()), rolled = 0;
    for (int32_t k = 0; k < assets.count; k++) {
        Symbol *front = &assets.symbol[k];
        if (!front->aggregated || (root && strncmp(front->name, root, 3) != 0) || front->follows < 0) continue;
        Symbol *expiring = &assets.symbol[front->follows];
        expiring->rolled = session;
        feed_state(expiring, ASSET_CLOSED);
        rolled++;
    }
    assets_session(session);
    return rolled ? NULL : "no aggregated ticker has that root";
}

/* Before the script is read: so that its `symbol` lines can change what is listed. */
static void list(void) {
    for (size_t k = 0; k < sizeof listed / sizeof *listed; k++) {
        if (symbol_named(listed[k].name)) continue; /* the script's own */
        Symbol *symbol = added(listed[k].name, &listed[k]);
        if (symbol) symbol->aggregated = listed[k].root[0] != 0;
    }
}

void assets_begin(void) {
    int32_t session = sim_session_date(sim_now());
    list();
    for (size_t k = 0; k < sizeof listed / sizeof *listed; k++)
        if (listed[k].root[0]) add_contracts(symbol_named(listed[k].name), &listed[k], session);
    for (int32_t k = 0; k < assets.count; k++) {
        if (settings()->default_rate > 0) assets.symbol[k].rate = settings()->default_rate;
        if (!assets.symbol[k].step) assets.symbol[k].step = settings()->step;
    }
    generator_begin();
    assets_session(session);
}

/* ---- lookup -------------------------------------------------------------------------------------------------------- */
static bool exchange_known(PText exchange) {
    static const char letters[] = "ABDEFKMNOPXY";
    return exchange[0] && exchange[0] < 128 && strchr(letters, (int)exchange[0]) && !exchange[1];
}

int32_t symbol_find(PText ticker, PText exchange, Symbol **symbol) {
    *symbol = NULL;
    if (!ticker || !ticker[0]) return NL_INVALID_ARGS;
    bool any = !exchange || !exchange[0];
    if (!any && !exchange_known(exchange)) return NL_EXCHANGE_UNKNOWN;
    for (int32_t k = 0; k < assets.count; k++) {
        Symbol *known = &assets.symbol[k];
        if (sim_same(known->ticker, ticker) && (any || known->exchange[0] == exchange[0])) *symbol = known;
    }
    return *symbol ? NL_OK : NL_INVALID_TICKER;
}

bool sim_market_of(int32_t index, SimMarket *market) {
    sim_lock();
    Symbol *symbol = symbol_at(index);
    if (symbol) {
        const Symbol *source = symbol->follows >= 0 ? &assets.symbol[symbol->follows] : symbol;
        *market = (SimMarket){.symbol = symbol->index, .tick = symbol->tick, .multiplier = symbol->multiplier,
                              .lot = symbol->lot, .last = source->last.price, .bid = source->bid, .ask = source->ask,
                              .previous_close = source->previous_close, .state = source->state,
                              .aggregated = symbol->aggregated,
                              .expired = symbol_expired(symbol, sim_session_date(sim_now()))};
        sim_copy(market->ticker, SIM_TICKER, symbol->ticker);
        sim_copy(market->contract, SIM_TICKER, source->ticker);
        market->exchange[0] = symbol->exchange[0];
    }
    sim_unlock();
    return symbol != NULL;
}

int32_t sim_market(PText ticker, PText exchange, SimMarket *market) {
    sim_lock();
    Symbol *symbol;
    int32_t result = symbol_find(ticker, exchange, &symbol);
    if (result == NL_OK) sim_market_of(symbol->index, market);
    sim_unlock();
    return result;
}

TAssetIDRec asset_record(const char16_t *ticker, const char16_t *exchange) {
    return (TAssetIDRec){.pwcTicker = ticker, .pwcBolsa = exchange};
}

TConnectorAssetIdentifier asset_identifier(const char16_t *ticker, const char16_t *exchange) {
    return (TConnectorAssetIdentifier){.Ticker = ticker, .Exchange = exchange};
}
