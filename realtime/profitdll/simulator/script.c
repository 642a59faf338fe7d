/* The script: one thing a line, words separated by blanks, "text in quotes", # comments. Unknown words are errors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "market.h"

enum { WORDS = 40 };

static struct {
    char wrong[400];
} script;

static const char *refused(const char *expected) {
    if (expected != script.wrong) snprintf(script.wrong, sizeof script.wrong, "%s", expected);
    return script.wrong;
}

bool script_range(const char *word, Range *range) {
    char low[40];
    const char *dots = strstr(word, ".."); /* strtod would take the first dot for its own */
    size_t length = dots ? (size_t)(dots - word) : strlen(word);
    if (!length || length >= sizeof low) return false;
    memcpy(low, word, length);
    low[length] = 0;
    char *end;
    range->low = range->high = strtod(low, &end);
    if (*end) return false;
    if (!dots) return true;
    range->high = strtod(dots + 2, &end);
    return end != dots + 2 && *end == 0 && range->low <= range->high;
}

static int32_t split(char *line, char *word[WORDS]) {
    int32_t words = 0;
    for (char *at = line; *at && words < WORDS;) {
        while (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n') at++;
        if (!*at || *at == '#') break;
        bool quoted = *at == '"';
        if (quoted) at++;
        word[words++] = at;
        while (*at && (quoted ? *at != '"' : *at != ' ' && *at != '\t' && *at != '\r' && *at != '\n')) at++;
        if (*at) *at++ = 0;
    }
    return words;
}

/* ---- settings ------------------------------------------------------------------------------------------------------ */
static bool number(const char *word, double *value) {
    Range range;
    if (!script_range(word, &range) || range.low != range.high) return false;
    *value = range.low;
    return true;
}

typedef struct Number {
    const char *word;
    double *real;
    int64_t *whole;
} Number;

static bool number_line(int32_t words, char *word[], bool *malformed) {
    Settings *s = settings();
    const Number known[] = {
        {"handshake", &s->handshake_ms, NULL},   {"broker-delay", &s->broker_delay_ms, NULL},
        {"settle", &s->settle_ms, NULL},         {"quantum", &s->quantum_us, NULL},
        {"queue", NULL, &s->queue},              {"slow-consumer", NULL, &s->slow_at},
        {"watchdog", &s->watchdog_ms, NULL},     {"daily-every", &s->daily_every_s, NULL},
        {"depth-rate", &s->depth_rate, NULL},    {"history-rate", &s->history_rate, NULL},
        {"history-stuck", &s->history_stuck_ms, NULL}, {"history-truncate", NULL, &s->history_truncate},
        {"history-sentinels", NULL, &s->history_sentinels}, {"history-untranslatable", NULL, &s->history_untranslatable},
        {"history-days", NULL, &s->history_days}, {"history-lose", NULL, &s->history_lose},
        {"symbol-rate", &s->default_rate, NULL}, {"await", NULL, &s->await_symbols},
    };
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        if (strcmp(known[k].word, word[0]) != 0) continue;
        double value = 0;
        *malformed = words != 2 || !number(word[1], &value) || value < 0;
        if (*malformed) return true;
        if (known[k].real) *known[k].real = value;
        if (known[k].whole) *known[k].whole = (int64_t)value;
        if (known[k].whole == &s->queue && s->slow_at > s->queue) s->slow_at = s->queue * 3 / 4;
        return true;
    }
    return false;
}

static bool switch_line(int32_t words, char *word[], bool *malformed) {
    Settings *s = settings();
    const struct {
        const char *word;
        bool *flag;
    } known[] = {{"strict", &s->strict}, {"stall", &s->stall}, {"print-fills", &s->print_fills},
                 {"stamp", &s->stamp}, {"weekdays", &s->weekdays}, {"resubscribe", &s->resubscribe},
                 {"quotes", &s->quotes}};
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        if (strcmp(known[k].word, word[0]) != 0) continue;
        *malformed = words > 2 || (words == 2 && strcmp(word[1], "on") != 0 && strcmp(word[1], "off") != 0);
        *known[k].flag = words == 1 || strcmp(word[1], "on") == 0;
        return true;
    }
    return false;
}

static int64_t moment(const char *date, const char *time) {
    int y, mo, d, h = 0, mi = 0, s = 0;
    if (sscanf(date, "%d-%d-%d", &y, &mo, &d) != 3 || (time && sscanf(time, "%d:%d:%d", &h, &mi, &s) < 2))
        return INT64_MIN;
    TSystemTime at = {.Year = (uint16_t)y, .Month = (uint16_t)mo, .Day = (uint16_t)d, .Hour = (uint16_t)h,
                      .Minute = (uint16_t)mi, .Second = (uint16_t)s};
    return sim_market_ms(&at);
}

/* anchor 2026-11-20T12:00:00Z */
static const char *anchor_line(int32_t words, char *word[]) {
    char date[11];
    size_t length = words == 2 ? strlen(word[1]) : 0;
    if (length != 20 || word[1][10] != 'T' || word[1][19] != 'Z') return "expected: anchor YYYY-MM-DDTHH:MM:SSZ";
    memcpy(date, word[1], 10);
    date[10] = 0;
    settings()->anchor_ms = moment(date, word[1] + 11);
    return settings()->anchor_ms == INT64_MIN ? "there is no such instant" : NULL;
}

static const char *deny_line(int32_t words, char *word[]) {
    Settings *s = settings();
    int32_t room = sizeof s->history_denied / sizeof *s->history_denied;
    if (words != 2 || strlen(word[1]) >= SIM_TICKER || s->history_denials == room)
        return "expected: history-deny SYMBOL|all, sixteen of them at most";
    snprintf(s->history_denied[s->history_denials++], SIM_TICKER, "%s", word[1]);
    return NULL;
}

static const char *login_line(int32_t words, char *word[]) {
    static const struct {
        const char *word;
        int32_t login, activation;
    } known[] = {{"good", 0, 0}, {"bad-user", 1, 0}, {"bad-login", 1, 0}, {"bad-password", 2, 0},
                 {"blocked-password", 3, 0}, {"expired-password", 4, 0}, {"unknown", 200, 0},
                 {"second-process", 200, 0}, {"bad-activation", 0, 1}, {"expired-licence", 0, 1}};
    for (size_t k = 0; words == 2 && k < sizeof known / sizeof *known; k++) {
        if (strcmp(known[k].word, word[1]) != 0) continue;
        settings()->login = known[k].login;
        settings()->activation = known[k].activation;
        return NULL;
    }
    return "expected: login good|bad-user|bad-password|blocked-password|expired-password|unknown|second-process|"
           "bad-activation";
}

/* symbol WINX99 F price 131250 tick 5 lot 1 rate 9 step 10 */
static const char *symbol_line(int32_t words, char *word[]) {
    static const char usage[] = "expected: symbol TICKER EXCHANGE [price P] [tick T] [lot L] [rate R] [step N]";
    if (words < 3 || strlen(word[2]) != 1 || words % 2 == 0) return usage;
    double price = 0, tick = 0, lot = 0, rate = -1, step = 0;
    for (int32_t k = 3; k < words; k += 2) {
        double *into = strcmp(word[k], "price") == 0  ? &price
                       : strcmp(word[k], "tick") == 0 ? &tick
                       : strcmp(word[k], "lot") == 0  ? &lot
                       : strcmp(word[k], "rate") == 0 ? &rate
                       : strcmp(word[k], "step") == 0 ? &step
                                                      : NULL;
        if (!into || !number(word[k + 1], into)) return usage;
    }
    bool fresh = !symbol_named(word[1]);
    const char *wrong = assets_add(word[1], word[2][0], price > 0 ? price : fresh ? 100 : 0,
                                   tick > 0 ? tick : fresh ? 0.01 : 0, lot > 0 ? (int64_t)lot : fresh ? 1 : 0,
                                   rate >= 0 ? rate : fresh ? 1 : -1);
    if (!wrong && step > 0) symbol_named(word[1])->step = (uint32_t)step;
    return wrong;
}

/* rate 250000 for 60 | rate 250000 count 1000000 | rate max count 1000000 */
static const char *rate_line(int32_t words, char *word[]) {
    Settings *s = settings();
    double rate = 0, value = 0;
    bool fastest = words > 1 && strcmp(word[1], "max") == 0;
    if ((words != 2 && words != 4) || (!fastest && (!number(word[1], &rate) || rate <= 0)) ||
        (words == 4 && !number(word[3], &value)))
        return "expected: rate TRADES_PER_SECOND|max [for SECONDS | count TRADES]";
    s->source = SOURCE_LOAD;
    s->load_rate = rate;
    if (words == 4 && strcmp(word[2], "for") == 0)
        s->load_seconds = value;
    else if (words == 4 && strcmp(word[2], "count") == 0)
        s->load_count = (int64_t)value;
    else if (words == 4)
        return "expected after the rate: for SECONDS or count TRADES";
    return NULL;
}

static const char *hours_line(int32_t words, char *word[]) {
    int from_h, from_m, to_h, to_m;
    Settings *s = settings();
    if (words < 2 || sscanf(word[1], "%d:%d-%d:%d", &from_h, &from_m, &to_h, &to_m) != 4)
        return "expected: hours HH:MM-HH:MM [weekdays]";
    s->open_s = (from_h * 60 + from_m) * 60;
    s->close_s = (to_h * 60 + to_m) * 60;
    if (s->open_s < 900 || s->close_s <= s->open_s || s->close_s > DAY_SECONDS)
        return "hours begin after 00:15 and end later than they begin";
    s->auction_s = s->open_s - 300;
    s->pre_opening_s = s->open_s - 900;
    s->weekdays = words > 2 && strcmp(word[2], "weekdays") == 0;
    return NULL;
}

static const char *text_line(int32_t words, char *word[], bool *known) {
    Settings *s = settings();
    const char *verb = word[0];
    *known = true;
    double value;
    if (strcmp(verb, "seed") == 0)
        return words == 2 ? s->seed = strtoull(word[1], NULL, 0), NULL : "expected: seed NUMBER";
    if (strcmp(verb, "speed") == 0) {
        bool fastest = words == 2 && strcmp(word[1], "max") == 0;
        if (!fastest && (words != 2 || !number(word[1], &value) || value <= 0)) return "expected: speed FACTOR|max";
        return s->speed = fastest ? 0 : value, NULL;
    }
    if (strcmp(verb, "step") == 0)
        return words == 2 && number(word[1], &value) && value >= 1 ? s->step = (uint32_t)value, NULL
                                                                   : "expected: step NUMBER";
    if (strcmp(verb, "start") == 0 || strcmp(verb, "stop") == 0) {
        int64_t at = words == 3 || words == 2 ? moment(word[1], words == 3 ? word[2] : NULL) : INT64_MIN;
        if (at == INT64_MIN) return "expected: start|stop YYYY-MM-DD HH:MM:SS";
        return (strcmp(verb, "start") == 0 ? (s->start_ms = at) : (s->stop_ms = at)), NULL;
    }
    if (strcmp(verb, "anchor") == 0) return anchor_line(words, word);
    if (strcmp(verb, "history-deny") == 0) return deny_line(words, word);
    if (strcmp(verb, "login") == 0) return login_line(words, word);
    if (strcmp(verb, "symbol") == 0) return symbol_line(words, word);
    if (strcmp(verb, "rate") == 0) return rate_line(words, word);
    if (strcmp(verb, "hours") == 0) return hours_line(words, word);
    if (strcmp(verb, "emitted") == 0 && words == 2)
        return snprintf(s->emitted, sizeof s->emitted, "%s", word[1]), NULL;
    if (strcmp(verb, "overflow") == 0 && words == 2) return s->overflow_drop = strcmp(word[1], "drop") == 0, NULL;
    if (strcmp(verb, "millisecond-separator") == 0 && words == 2) return s->separator = (char16_t)word[1][0], NULL;
    if (strcmp(verb, "book") == 0 && words == 3) return NULL; /* every symbol has both books; kept for old scripts */
    if (strcmp(verb, "source") == 0) {
        if (words == 2 && strcmp(word[1], "generator") == 0) return NULL;
        if (words != 3 || strcmp(word[1], "tape") != 0) return "expected: source generator | source tape FILE";
        s->source = SOURCE_TAPE;
        return snprintf(s->tape, sizeof s->tape, "%s", word[2]), NULL;
    }
    *known = false;
    return NULL;
}

/* ---- lines ---------------------------------------------------------------------------------------------------------- */
static const char *timed_line(int32_t words, char *word[], bool running) {
    Range seconds;
    if (strcmp(word[0], "random") == 0) { /* random market-drop every 5..20 lose 0..300 */
        for (int32_t k = 2; k + 1 < words; k++) {
            if (strcmp(word[k], "every") != 0 || !script_range(word[k + 1], &seconds)) continue;
            memmove(&word[k], &word[k + 2], (size_t)(words - k - 2) * sizeof *word);
            return fault_line(words - 3, word + 1, WHEN_RANDOM, seconds, running);
        }
        return "expected: random EVENT every FROM..TO ...";
    }
    if (words < 3 || !script_range(word[1], &seconds)) return "expected: at|every SECONDS EVENT ...";
    return fault_line(words - 2, word + 2, strcmp(word[0], "at") == 0 ? WHEN_AT : WHEN_EVERY, seconds, running);
}

const char *script_line(char *line, bool running) {
    char *word[WORDS];
    int32_t words = split(line, word);
    if (!words) return NULL;
    const char *wrong = NULL;
    bool malformed = false, known = false;
    if (strcmp(word[0], "at") == 0 || strcmp(word[0], "every") == 0 || strcmp(word[0], "random") == 0) {
        wrong = timed_line(words, word, running);
        return wrong ? refused(wrong) : NULL;
    }
    if (order_line(words, word, &wrong)) return wrong ? refused(wrong) : NULL;
    if (!running) {
        if (number_line(words, word, &malformed) || switch_line(words, word, &malformed)) {
            if (malformed) snprintf(script.wrong, sizeof script.wrong, "a wrong value after %.40s", word[0]);
            return malformed ? script.wrong : NULL;
        }
        wrong = text_line(words, word, &known);
        if (known) return wrong ? refused(wrong) : NULL;
    }
    wrong = fault_line(words, word, WHEN_NOW, (Range){0, 0}, running);
    return wrong ? refused(wrong) : NULL;
}

const char *script_load(const char *path) {
    static char wrong[700];
    FILE *file = platform_open(path, "r");
    if (!file) {
        snprintf(wrong, sizeof wrong, "the script %.400s cannot be read", path);
        return wrong;
    }
    char line[1024];
    const char *found = NULL;
    for (int32_t at = 1; !found && fgets(line, sizeof line, file); at++) {
        char shown[120];
        snprintf(shown, sizeof shown, "%.*s", (int)strcspn(line, "\r\n") < 119 ? (int)strcspn(line, "\r\n") : 119, line);
        found = script_line(line, false);
        if (found) snprintf(wrong, sizeof wrong, "line %d of the script: \"%s\": %s", at, shown, found);
    }
    fclose(file);
    const Settings *s = settings();
    if (!found && s->anchor_ms != INT64_MIN && (s->start_ms == INT64_MIN || s->speed == 0))
        return "anchor: the script needs a start and a speed that is no max beside it";
    return found ? wrong : NULL;
}
