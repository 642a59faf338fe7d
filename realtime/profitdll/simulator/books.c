/* The exchange's book of one symbol, order by order; its best prices follow the trades. */
#include <stdlib.h>
#include <string.h>

#include "market.h"

static const Symbol *source_of(const Symbol *symbol) {
    return symbol->follows >= 0 ? symbol_at(symbol->follows) : symbol;
}

double offer_price(const Symbol *symbol, const Offer *offer) { return offer->ticks * symbol->tick; }

static bool better(int32_t side, int32_t one, int32_t other) { return side == BOOK_BUY ? one > other : one < other; }
static int32_t behind(int32_t side, int32_t ticks, int32_t by) { return side == BOOK_BUY ? ticks - by : ticks + by; }

static void remove_at(Book *book, int32_t side, int32_t from, int32_t count) {
    book->offers[side] -= count;
    memmove(&book->offer[side][from], &book->offer[side][from + count],
            (size_t)(book->offers[side] - from) * sizeof(Offer));
}

static void add_offer(Symbol *symbol, int32_t side, int32_t ticks, int64_t quantity) {
    Book *book = symbol->book;
    if (book->offers[side] == MAX_OFFERS) return;
    int32_t at = 0;
    while (at < book->offers[side] && !better(side, ticks, book->offer[side][at].ticks)) at++;
    memmove(&book->offer[side][at + 1], &book->offer[side][at], (size_t)(book->offers[side] - at) * sizeof(Offer));
    book->offer[side][at] = (Offer){++book->next_id, quantity, ticks, agent_code(sim_random(&book->random))};
    book->offers[side]++;
    if (book->filled) offers_event(symbol, BOOK_ADD, at, side, quantity, &book->offer[side][at]);
}

static void edit_offer(Symbol *symbol, int32_t side, int32_t at, int64_t delta) {
    Offer *offer = &symbol->book->offer[side][at];
    if (offer->quantity + delta <= 0) delta = symbol->lot - offer->quantity;
    if (!delta) return;
    offer->quantity += delta;
    offers_event(symbol, BOOK_EDIT, at, side, delta, offer);
}

static void delete_offer(Symbol *symbol, int32_t side, int32_t at) {
    Offer gone = symbol->book->offer[side][at];
    remove_at(symbol->book, side, at, 1);
    offers_event(symbol, BOOK_DELETE, at, side, 0, &gone);
}

static int64_t drawn_quantity(Symbol *symbol) {
    uint64_t draw = sim_random(&symbol->book->random);
    return symbol->lot * (int64_t)(1 + draw % (draw >> 60 == 0 ? 200 : 12));
}

/* Takes away what the new best price has passed, and makes sure that it is there. */
static void follow(Symbol *symbol, int32_t side, int32_t best) {
    Book *book = symbol->book;
    int32_t passed = 0;
    while (passed < book->offers[side] && better(side, book->offer[side][passed].ticks, best)) passed++;
    if (passed) {
        Offer last = book->offer[side][passed - 1];
        remove_at(book, side, 0, passed);
        if (book->filled) offers_event(symbol, passed > 1 ? BOOK_DELETE_FROM : BOOK_DELETE, passed - 1, side, 0, &last);
    }
    if (!book->offers[side] || book->offer[side][0].ticks != best)
        add_offer(symbol, side, best, drawn_quantity(symbol));
    while (book->offers[side] > 100) delete_offer(symbol, side, book->offers[side] - 1);
}

static int32_t ticks_of(const Symbol *symbol, double price) { return (int32_t)(price / symbol->tick + 0.5); }

static void follow_both(Symbol *symbol) {
    const Symbol *source = source_of(symbol);
    if (source->bid <= 0 || source->ask <= source->bid) return;
    follow(symbol, BOOK_BUY, ticks_of(source, source->bid));
    follow(symbol, BOOK_SELL, ticks_of(source, source->ask));
}

void book_print(Symbol *symbol, int32_t aggressor) {
    Book *book = symbol->book;
    if (!book->filled) return;
    follow_both(symbol);
    int32_t hit = aggressor == SIDE_BUY ? BOOK_SELL : BOOK_BUY;
    if (aggressor && book->offers[hit]) edit_offer(symbol, hit, 0, -symbol->lot);
    depth_changes(symbol);
}

static void churn_once(Symbol *symbol) {
    Book *book = symbol->book;
    uint64_t draw = sim_random(&book->random);
    int32_t side = (int32_t)(draw & 1), count = book->offers[side], kind = (int32_t)(draw >> 8 & 15);
    if (!count) return;
    int32_t at = (int32_t)((draw >> 16) % (uint64_t)count), best = book->offer[side][0].ticks;
    if (kind < 6 || count < 12) {
        if (count < 90) add_offer(symbol, side, behind(side, best, (int32_t)((draw >> 32) % 16)), drawn_quantity(symbol));
    } else if (kind < 11) {
        edit_offer(symbol, side, at, symbol->lot * ((int64_t)((draw >> 32) % 9) - 4));
    } else if (at > 0) {
        delete_offer(symbol, side, at);
    }
}

void book_churn(Symbol *symbol, int32_t events) {
    for (int32_t k = 0; k < events; k++) {
        churn_once(symbol);
        if (k % 4 == 3 || k + 1 == events) depth_changes(symbol);
    }
}

/* After events were lost: whole books again. */
void book_touch(Symbol *symbol) {
    Book *book = symbol->book;
    book->stale = false;
    if (book->depth) depth_full(symbol);
    if (book->price_book) price_book_full(symbol);
    if (book->offers_wanted) offers_full(symbol);
}

void book_begin(Symbol *symbol) {
    if (!symbol->book) symbol->book = calloc(1, sizeof(Book));
    Book *book = symbol->book;
    if (!book) abort();
    if (book->filled) return;
    book->random = settings()->seed ^ mixed((uint64_t)symbol->index + 77);
    book->offers[0] = book->offers[1] = 0;
    follow_both(symbol);
    for (int32_t side = 0; side < 2; side++)
        for (int32_t k = 0; k < 50 && book->offers[side]; k++)
            add_offer(symbol, side, behind(side, book->offer[side][0].ticks, k / 4), drawn_quantity(symbol));
    book->filled = book->offers[0] > 0;
}

void book_drop(Symbol *symbol) {
    Book *book = symbol->book;
    if (!book) return;
    book->depth = book->offers_wanted = book->price_book = book->filled = book->stale = false;
}

int32_t book_levels(const Symbol *symbol, int32_t side, Level levels[MAX_LEVELS]) {
    const Book *book = symbol->book;
    int32_t count = 0, ticks = 0;
    for (int32_t k = 0; k < book->offers[side]; k++) {
        const Offer *offer = &book->offer[side][k];
        if (!count || offer->ticks != ticks) {
            if (count == MAX_LEVELS) break;
            ticks = offer->ticks;
            levels[count++] = (Level){offer_price(symbol, offer), 0, 0};
        }
        levels[count - 1].quantity += offer->quantity;
        levels[count - 1].count++;
    }
    return count;
}
