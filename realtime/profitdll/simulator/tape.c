/* The tape as a source: at real time, a multiple, or as fast as the queue takes it. Begins when subscriptions settle. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "market.h"
#include "tape.h"

enum { AHEAD = 4096 };

typedef struct Reader {
    FILE *file;
    TapeRecord record[AHEAD];
    int32_t count, at;
    uint64_t next; /* record after those in memory */
} Reader;

static struct {
    Reader live, past;
    uint64_t records, first;
    uint64_t done;
    int16_t symbol[4096];
    uint32_t index[MAX_SYMBOLS];
    uint32_t symbols;
    bool begun, ended;
} tape;

static bool refill(Reader *reader, uint64_t from) {
    int64_t offset = (int64_t)(tape.first + from) * (int64_t)sizeof(TapeRecord);
#if defined(_WIN32)
    bool there = _fseeki64(reader->file, offset, SEEK_SET) == 0;
#else
    bool there = fseeko(reader->file, (off_t)offset, SEEK_SET) == 0;
#endif
    uint64_t left = tape.records > from ? tape.records - from : 0, want = left < AHEAD ? left : AHEAD;
    reader->at = 0;
    reader->count = there ? (int32_t)fread(reader->record, sizeof(TapeRecord), want, reader->file) : 0;
    reader->next = from + (uint64_t)reader->count;
    return reader->count > 0;
}

static const TapeRecord *peek(Reader *reader) {
    if (reader->at == reader->count && !refill(reader, reader->next)) return NULL;
    return &reader->record[reader->at];
}

static const char *read_table(const TapeHeader *header) {
    for (uint32_t k = 0; k < header->symbols; k++) {
        TapeSymbol entry;
        if (fread(&entry, sizeof entry, 1, tape.live.file) != 1) return "the tape ends inside its symbol table";
        entry.name[sizeof entry.name - 1] = 0;
        const char *wrong = assets_add(entry.name, entry.exchange, 0, entry.tick, entry.lot, 0);
        if (wrong) return wrong;
        Symbol *symbol = symbol_named(entry.name);
        if (entry.multiplier > 0) symbol->multiplier = entry.multiplier;
        symbol->taped = true;
        tape.symbol[k] = symbol->index;
    }
    return NULL;
}

const char *tape_open(const char *path) {
    TapeHeader header;
    tape.live.file = platform_open(path, "rb");
    tape.past.file = platform_open(path, "rb");
    if (!tape.live.file || !tape.past.file) return "the tape cannot be opened";
    if (fread(&header, sizeof header, 1, tape.live.file) != 1 || memcmp(header.magic, "SIMTAPE1", 8) != 0)
        return "the tape does not begin with SIMTAPE1";
    if (header.record_size != sizeof(TapeRecord) || header.symbols > MAX_SYMBOLS - 30)
        return "the tape has another record size or too many symbols";
    tape.records = header.records;
    tape.symbols = header.symbols;
    tape.first = 1 + header.symbols;
    const char *wrong = read_table(&header);
    if (wrong) return wrong;
    const TapeRecord *first = peek(&tape.live);
    if (!first) return "the tape holds no records";
    if (settings()->start_ms == INT64_MIN) settings()->start_ms = first->time_ms;
    return NULL;
}

void tape_close(void) {
    if (tape.live.file) fclose(tape.live.file);
    if (tape.past.file) fclose(tape.past.file);
    tape.live.file = tape.past.file = NULL;
}

static void to_print(const TapeRecord *record, Print *print) {
    int16_t symbol = record->symbol < tape.symbols ? tape.symbol[record->symbol] : tape.symbol[0];
    *print = (Print){.time_ms = record->time_ms, .price = record->price, .quantity = record->quantity,
                     .volume = record->volume, .number = record->number, .buy_agent = record->buy_agent,
                     .sell_agent = record->sell_agent, .symbol = symbol, .type = record->type,
                     .flags = record->flags & 1 ? PRINT_EDIT : 0};
}

int64_t tape_due(void) {
    if (tape.ended) return INT64_MAX;
    if (!tape.begun) return feed_settled() ? INT64_MIN : sim_clock_ns() + 1000000;
    if (settings()->speed == 0) return INT64_MIN;
    const TapeRecord *record = peek(&tape.live);
    return record ? clock_of_market(record->time_ms) : INT64_MIN;
}

int32_t tape_run(int64_t now, int32_t most) {
    const TapeRecord *record = peek(&tape.live);
    if (!tape.begun && record) clock_jump(record->time_ms);
    tape.begun = true;
    int32_t done = 0;
    queue_hold();
    while (done < most && (record = peek(&tape.live))) {
        if (settings()->speed == 0)
            clock_follow(record->time_ms);
        else if (clock_of_market(record->time_ms) > now)
            break;
        Print print;
        to_print(record, &print);
        print.index = tape.index[print.symbol]++;
        tape.live.at++;
        tape.done++;
        feed_print(&print);
        done++;
    }
    queue_release();
    if (!record) {
        tape.ended = true;
        feed_last_word();
        sim_counters()->load_done = 1;
    }
    return done;
}

/* What the tape has told already; `cursor` counts records. */
bool tape_history(const Symbol *symbol, uint64_t *cursor, int64_t from_ms, int64_t until_ms, Print *print) {
    Reader *reader = &tape.past;
    while (*cursor < tape.done) {
        uint64_t first = reader->next - (uint64_t)reader->count;
        if (*cursor < first || *cursor >= reader->next || !reader->count) {
            if (!refill(reader, *cursor)) return false;
            first = *cursor;
        }
        to_print(&reader->record[*cursor - first], print);
        ++*cursor;
        if (print->time_ms >= until_ms) return false;
        if (print->time_ms >= from_ms && print->symbol == symbol->index) return true;
    }
    return false;
}
