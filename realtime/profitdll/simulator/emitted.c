/* Keeps the proof file, on the connector thread, just before each trade is told: at most one trade of a killed process
 * is recorded here without having reached the client. */
#include <string.h>

#include "emitted.h"
#include "market.h"

enum { MISSING = 1, REPEATED, EDITED, CACHED, SENTINEL, UNTRANSLATABLE, FILL };

typedef struct Emitted {
    EmittedHeader header;
    EmittedRun run[EMITTED_RUNS];
    EmittedEntry entry[EMITTED_ENTRIES];
    EmittedFault fault[EMITTED_FAULTS];
} Emitted;

static struct {
    Emitted *file;
    EmittedRun *run;
    uint32_t run_index;
} emitted;

const char *emitted_open(const char *path) {
    Emitted *file = platform_map_file(path, sizeof *file);
    if (!file) return "the file of `emitted` cannot be mapped";
    if (file->header.runs && memcmp(file->header.magic, "SIMEMIT1", 8) != 0) {
        platform_unmap_file(file, sizeof *file);
        return "the file of `emitted` is something else";
    }
    memcpy(file->header.magic, "SIMEMIT1", 8);
    file->header.run_room = EMITTED_RUNS;
    file->header.entry_room = EMITTED_ENTRIES;
    file->header.fault_room = EMITTED_FAULTS;
    emitted.file = file;
    return NULL;
}

void emitted_run(void) {
    if (!emitted.file) return;
    EmittedHeader *header = &emitted.file->header;
    if (header->runs == EMITTED_RUNS) {
        header->overflows++;
        return;
    }
    emitted.run_index = header->runs;
    emitted.run = &emitted.file->run[header->runs];
    *emitted.run = (EmittedRun){.started_ms = platform_utc_ms(), .process = platform_process_id(),
                                .seed = settings()->seed};
    header->runs++;
}

uint32_t emitted_last(const Symbol *symbol, int32_t session) {
    uint64_t last = 0;
    for (uint32_t k = 0; emitted.file && k < emitted.file->header.entries; k++) {
        const EmittedEntry *entry = &emitted.file->entry[k];
        if (entry->session == session && strcmp(entry->ticker, symbol->name) == 0 && entry->last > last)
            last = entry->last;
    }
    return (uint32_t)last;
}

void emitted_revisions(EmittedRevision take) {
    for (uint32_t k = 0; emitted.file && k < emitted.file->header.faults; k++) {
        const EmittedFault *fault = &emitted.file->fault[k];
        if (fault->kind != EDITED || (fault->cause != CAUSE_EDIT && fault->cause != CAUSE_CANCEL)) continue;
        const EmittedEntry *entry = &emitted.file->entry[fault->entry];
        for (uint64_t number = fault->first; number <= fault->last; number += entry->step ? entry->step : 1)
            take(entry->ticker, entry->session, (uint32_t)number, fault->cause == CAUSE_CANCEL);
    }
}

static EmittedEntry *entry_of(Symbol *symbol, int64_t day) {
    if (symbol->entry >= 0 && symbol->entry_day == day) return &emitted.file->entry[symbol->entry];
    EmittedHeader *header = &emitted.file->header;
    int32_t session = days_date(day);
    for (uint32_t k = header->entries; k-- > 0 && emitted.file->entry[k].run == emitted.run_index;) {
        EmittedEntry *known = &emitted.file->entry[k];
        if (known->session != session || strcmp(known->ticker, symbol->name) != 0) continue;
        symbol->entry = (int32_t)k, symbol->entry_day = day;
        return known;
    }
    if (header->entries == EMITTED_ENTRIES) {
        header->overflows++;
        return NULL;
    }
    EmittedEntry *entry = &emitted.file->entry[header->entries];
    *entry = (EmittedEntry){.run = emitted.run_index, .session = session, .step = symbol->taped ? 0 : symbol->step};
    memcpy(entry->ticker, symbol->name, sizeof entry->ticker - 1);
    symbol->entry = (int32_t)header->entries++, symbol->entry_day = day;
    return entry;
}

static void note(const EmittedEntry *entry, uint32_t kind, uint32_t cause, uint64_t first, uint64_t last,
                 uint64_t count) {
    EmittedHeader *header = &emitted.file->header;
    uint32_t index = (uint32_t)(entry - emitted.file->entry);
    if (header->faults && kind != MISSING) { /* a run of repeats is one record */
        EmittedFault *before = &emitted.file->fault[header->faults - 1];
        if (before->entry == index && before->kind == kind && before->cause == cause && entry->step &&
            before->last + entry->step == first) {
            before->last = last;
            before->count += count;
            return;
        }
    }
    if (header->faults == EMITTED_FAULTS) {
        header->overflows++;
        return;
    }
    emitted.file->fault[header->faults] = (EmittedFault){index, kind, cause, 0, first, last, count};
    header->faults++;
}

static uint32_t odd_kind(const Print *print) {
    if (print->flags & PRINT_SENTINEL) return SENTINEL;
    if (print->flags & PRINT_UNTRANSLATABLE) return UNTRANSLATABLE;
    if (print->flags & PRINT_CACHED) return CACHED;
    if (print->flags & PRINT_EDIT) return EDITED;
    return print->cause == CAUSE_FILL ? FILL : 0;
}

void emitted_trade(Symbol *symbol, const Print *print, int64_t day) {
    if (!emitted.run) return;
    EmittedEntry *entry = entry_of(symbol, day);
    emitted.run->trades++;
    if (!entry) return;
    uint64_t number = print->number;
    uint32_t odd = odd_kind(print);
    if (odd) {
        note(entry, odd, print->cause, number, number, 1);
        return;
    }
    if (entry->count && entry->step && number <= entry->last) {
        note(entry, REPEATED, print->cause, number, number, 1);
        return;
    }
    if (entry->count && entry->step && number > entry->last + entry->step) {
        uint64_t first = entry->last + entry->step, last = number - entry->step;
        note(entry, MISSING, print->cause, first, last, (last - first) / entry->step + 1);
    }
    if (!entry->count) entry->first = number;
    if (entry->step || number > entry->last) entry->last = number;
    entry->quantity += print->quantity;
    entry->count++;
    emitted.run->quantity += print->quantity;
}

void emitted_close(void) {
    if (emitted.run) emitted.run->finished = 1;
    platform_unmap_file(emitted.file, sizeof *emitted.file);
    emitted.file = NULL;
    emitted.run = NULL;
}

/* Sums over this process: what SimEmitted tells. */
PROFIT_EXPORT int32_t PROFIT_CALL SimEmitted(PText ticker, int32_t session, uint64_t *first, uint64_t *last,
                                             uint64_t *count, int64_t *quantity) {
    char name[SIM_TICKER];
    sim_narrow(name, sizeof name, ticker);
    for (uint32_t k = 0; emitted.file && k < emitted.file->header.entries; k++) {
        const EmittedEntry *entry = &emitted.file->entry[k];
        if (entry->run != emitted.run_index || entry->session != session || strcmp(entry->ticker, name) != 0) continue;
        *first = entry->first, *last = entry->last, *count = entry->count, *quantity = entry->quantity;
        return NL_OK;
    }
    return NL_NOT_FOUND;
}
