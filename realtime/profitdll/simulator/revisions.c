/* What the exchange corrected or took back: the sums of a session and later answers of history say it so. The proof file
 * of `emitted` knows it too, so a process that has one goes on where the killed one was. */
#include <stdlib.h>

#include "market.h"

typedef struct Revision {
    int32_t session; /* 0: free */
    uint32_t number;
    int16_t symbol; /* whose trade it is */
    bool cancelled; /* else a lot more */
} Revision;

static struct {
    Revision *slot;
    uint32_t room, used; /* a power of two, half of it free */
    bool read;           /* some of them may come before their trade */
} revisions;

static Revision *place(int16_t symbol, int32_t session, uint32_t number) {
    uint32_t at = (uint32_t)mixed(((uint64_t)number << 32 | (uint32_t)session) + (uint64_t)symbol);
    for (;; at++) {
        Revision *slot = &revisions.slot[at & (revisions.room - 1)];
        if (!slot->session || (slot->symbol == symbol && slot->session == session && slot->number == number)) return slot;
    }
}

static void grow(void) {
    Revision *old = revisions.slot;
    uint32_t room = revisions.room;
    revisions.room = room ? room * 2 : 256;
    revisions.slot = calloc(revisions.room, sizeof *revisions.slot);
    if (!revisions.slot) abort();
    for (uint32_t k = 0; k < room; k++)
        if (old[k].session) *place(old[k].symbol, old[k].session, old[k].number) = old[k];
    free(old);
}

static void remember(int16_t symbol, int32_t session, uint32_t number, bool cancelled) {
    if (revisions.used * 2 >= revisions.room) grow();
    Revision *slot = place(symbol, session, number);
    if (!slot->session) revisions.used++;
    *slot = (Revision){session, number, symbol, cancelled};
}

int64_t revised_quantity(const Print *made) {
    if (!revisions.used) return made->quantity;
    const Revision *slot = place(made->symbol, sim_session_date(made->time_ms), made->number);
    return !slot->session ? made->quantity : slot->cancelled ? 0 : made->quantity + symbol_at(made->symbol)->lot;
}

int64_t revise_trade(const Print *made, bool cancels) {
    Symbol *source = symbol_at(made->symbol);
    int32_t session = sim_session_date(made->time_ms);
    int64_t before = revised_quantity(made);
    remember(made->symbol, session, made->number, cancels);
    int64_t after = revised_quantity(made);
    if (session == source->session) totals_change(&source->totals, made, before, after);
    if (session == source->closed_session) totals_change(&source->closed, made, before, after);
    return after;
}

void revisions_apply(const Symbol *symbol, int32_t session, Totals *totals) {
    int64_t made = totals->trades; /* those of the generator's first so many that were revised */
    for (uint32_t k = 0; k < revisions.room; k++) {
        const Revision *slot = &revisions.slot[k];
        Print print;
        if (slot->session != session || slot->symbol != symbol->index || slot->number % symbol->step) continue;
        uint32_t index = slot->number / symbol->step - 1;
        if (index < made && generator_print(symbol, session, index, &print))
            totals_change(totals, &print, print.quantity, revised_quantity(&print));
    }
}

void revisions_made(const Print *made) {
    if (!revisions.read) return;
    Symbol *source = symbol_at(made->symbol);
    totals_change(&source->totals, made, made->quantity, revised_quantity(made));
}

static void take(const char *ticker, int32_t session, uint32_t number, bool cancelled) {
    const Symbol *symbol = symbol_named(ticker);
    int16_t source = symbol ? symbol_source(symbol, session) : -1;
    if (source < 0) return;
    remember(source, session, number, cancelled);
    revisions.read = true;
}

void revisions_begin(void) { emitted_revisions(take); }
