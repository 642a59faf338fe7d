/* The script's lines for accounts and orders. */
#include <stdlib.h>
#include <string.h>

#include "market.h"

enum { ACCOUNTS = 64 };

static struct {
    SimAccount account[ACCOUNTS];
    int32_t count;
} named;

int32_t sim_accounts(const SimAccount **accounts) {
    *accounts = named.account;
    return named.count;
}

static const char *after(int32_t words, char *word[], const char *key) {
    for (int32_t k = 1; k + 1 < words; k++)
        if (strcmp(word[k], key) == 0) return word[k + 1];
    return NULL;
}

/* account 000123 broker 3001 name "Corretora" holder "Maria" type master sub 7 */
static const char *account_line(int32_t words, char *word[]) {
    static const char *const types[] = {"owner", "assessor", "master", "sub", "risk-master", "prop-office",
                                        "prop-manager"};
    const char *broker = after(words, word, "broker"), *name = after(words, word, "name");
    const char *holder = after(words, word, "holder"), *type = after(words, word, "type");
    const char *sub = after(words, word, "subaccount");
    if (words < 4 || !broker || named.count == ACCOUNTS)
        return "expected: account ID broker NUMBER [name TEXT] [holder TEXT] [type KIND] [subaccount ID]";
    SimAccount account = {.broker = atoi(broker), .flags = ACCOUNT_FLAG_ENABLED};
    sim_widen(account.account, 100, word[1]);
    sim_widen(account.broker_name, SIM_TEXT, name ? name : "Corretora Simulada");
    sim_widen(account.holder, SIM_TEXT, holder ? holder : "Titular Simulado");
    for (int32_t k = 0; type && k < 7; k++)
        if (strcmp(types[k], type) == 0) account.type = k;
    if (sub) {
        sim_widen(account.sub_account, 100, sub);
        account.flags |= ACCOUNT_FLAG_SUB;
        account.type = ACCOUNT_SUB;
    }
    named.account[named.count++] = account;
    return NULL;
}

/* `next N` or `any`, each with chance 1 `in M`, of those `of` a quantity; without them the next one, surely. */
static void set_fault(SimFault *fault, int32_t words, char *word[]) {
    const char *next = after(words, word, "next"), *in = after(words, word, "in"), *of = after(words, word, "of");
    Range quantity = {0, 0};
    if (of) script_range(of, &quantity);
    *fault = (SimFault){next ? atoi(next) : 1, in ? atoi(in) : 1, (int64_t)quantity.low, (int64_t)quantity.high};
    for (int32_t k = 1; k < words; k++)
        if (strcmp(word[k], "any") == 0) fault->left = -1;
}

static int32_t hop_code(const char *word) {
    static const struct {
        const char *name;
        int32_t code;
    } hops[] = {{"connection", 1}, {"mercury", 3}, {"hades", 5}, {"broker", 7}, {"market", 9}, {"risk", 24}};
    for (size_t k = 0; k < sizeof hops / sizeof *hops; k++)
        if (strcmp(hops[k].name, word) == 0) return hops[k].code;
    return atoi(word);
}

static const char *reject_line(int32_t words, char *word[]) {
    SimOrderFaults *faults = sim_order_faults();
    int32_t code = words > 2 ? hop_code(word[2]) : 0;
    if (code != 1 && code != 3 && code != 5 && code != 7 && code != 9 && code != 24)
        return "expected: order reject mercury|hades|broker|market|risk (3, 5, 7, 9, 24) [next N|any] [in M] [text T]";
    const char *text = after(words, word, "text");
    set_fault(&faults->reject, words, word);
    faults->reject_code = code;
    sim_widen(faults->reject_text, SIM_TEXT, text ? text : "");
    return NULL;
}

/* SendOrder answers with an error: 3 is NL_INVALID_ARGS. */
static const char *refuse_line(int32_t words, char *word[]) {
    int32_t code = words > 2 ? atoi(word[2]) : 0;
    if (code < 1 || code > 255) return "expected: order refuse CODE [next N|any] [in M] [of QUANTITY]";
    set_fault(&sim_order_faults()->refuse, words, word);
    sim_order_faults()->refuse_code = code;
    return NULL;
}

static const char *slow_line(int32_t words, char *word[]) {
    SimOrderFaults *faults = sim_order_faults();
    bool late = words > 3 && strcmp(word[2], "after") == 0;
    double ms = words > 3 ? atof(word[3]) : 0;
    if (!(ms > 0) || (!late && strcmp(word[2], "before") != 0))
        return "expected: order slow before|after MS [next N|any] [in M] [of QUANTITY]";
    set_fault(&faults->slow, words, word);
    faults->slow_ms = ms, faults->slow_after = late;
    return NULL;
}

static const char *expire_line(int32_t words, char *word[]) {
    double ms = words > 2 ? atof(word[2]) : 0;
    if (!(ms > 0)) return "expected: order expire MS [next N|any] [in M] [of QUANTITY]";
    set_fault(&sim_order_faults()->expire, words, word);
    sim_order_faults()->expire_ms = ms;
    return NULL;
}

static const char *stuck_line(int32_t words, char *word[]) {
    bool pending = words > 2 && strcmp(word[2], "pending") == 0;
    if (words < 3 || (!pending && strcmp(word[2], "sent") != 0))
        return "expected: order stuck sent|pending [next N|any] [in M] [of QUANTITY]";
    set_fault(&sim_order_faults()->stuck, words, word);
    sim_order_faults()->stuck_where = pending ? SIM_STUCK_PENDING : SIM_STUCK_SENT;
    return NULL;
}

static const char *partial_line(int32_t words, char *word[]) {
    SimOrderFaults *faults = sim_order_faults();
    int32_t at = 2;
    while (at < words && strcmp(word[at], "split") != 0) at++;
    bool stays = strcmp(word[words - 1], "stay") == 0;
    int32_t end = stays ? words - 1 : words;
    if (at + 1 >= end || end - at - 1 > 8) return "expected: order partial [next N|any] [in M] split PERCENT ... [stay]";
    set_fault(&faults->partial, at, word);
    faults->splits = 0, faults->split_stays = stays;
    for (at++; at < end; at++) faults->split[faults->splits++] = atoi(word[at]);
    return NULL;
}

static const char *race_line(int32_t words, char *word[]) {
    static const char *const races[] = {"none", "fill-first", "cancel-first", "remainder"};
    for (int32_t k = 0; words > 2 && k < 4; k++) {
        if (strcmp(races[k], word[2]) != 0) continue;
        set_fault(&sim_order_faults()->cancel_race, words, word);
        sim_order_faults()->race = (SimRace)k;
        return NULL;
    }
    return "expected: order race fill-first|cancel-first|remainder [next N|any] [in M]";
}

static const char *order_verb(int32_t words, char *word[]) {
    SimOrderFaults *faults = sim_order_faults();
    const char *verb = words > 1 ? word[1] : "";
    const struct {
        const char *name;
        SimFault *fault;
    } plain[] = {{"drop", &faults->silent_drop}, {"mute", &faults->mute}, {"duplicate", &faults->duplicate}, {"newer", &faults->newer_details},
                 {"late", &faults->late_status}, {"skip", &faults->skip_statuses}};
    for (size_t k = 0; k < sizeof plain / sizeof *plain; k++) {
        if (strcmp(plain[k].name, verb) != 0) continue;
        set_fault(plain[k].fault, words, word);
        for (int32_t at = 2; at + 2 < words; at++)
            if (strcmp(word[at], "times") == 0)
                faults->duplicate_min = atoi(word[at + 1]), faults->duplicate_max = atoi(word[at + 2]);
        return NULL;
    }
    if (strcmp(verb, "reject") == 0) return reject_line(words, word);
    if (strcmp(verb, "refuse") == 0) return refuse_line(words, word);
    if (strcmp(verb, "slow") == 0) return slow_line(words, word);
    if (strcmp(verb, "expire") == 0) return expire_line(words, word);
    if (strcmp(verb, "stuck") == 0) return stuck_line(words, word);
    if (strcmp(verb, "partial") == 0) return partial_line(words, word);
    if (strcmp(verb, "race") == 0) return race_line(words, word);
    if (strcmp(verb, "not-found") == 0 && words == 3) return faults->not_found_ms = atof(word[2]), NULL;
    if (strcmp(verb, "improvement") == 0 && words == 3) return faults->improvement_ticks = atoi(word[2]), NULL;
    if (strcmp(verb, "per-day") == 0 && words == 3) return faults->orders_per_day = atoi(word[2]), NULL;
    if (strcmp(verb, "per-minute") == 0 && words == 3) return faults->orders_per_minute = atoi(word[2]), NULL;
    if (strcmp(verb, "history") == 0 && words == 3) return faults->history_ms = atof(word[2]), NULL;
    if (strcmp(verb, "fill-at") == 0 && words == 3)
        return faults->fill_at_touch = strcmp(word[2], "through") != 0, NULL;
    return sim_trading.command ? sim_trading.command(words, word) : "unknown order verb";
}

/* latency 10 is what was measured at the vendor's simulator; slow chains do not make cancels slower than four times. */
static void set_latency(double tenths) {
    SimOrderFaults *pace = sim_order_faults();
    pace->first_ms = 1.96 * tenths, pace->step_ms = 0.4 * tenths;
    pace->fill_min_ms = 6.25 * tenths, pace->fill_max_ms = 7.26 * tenths;
    pace->cancel_min_ms = 7.3 * tenths, pace->cancel_max_ms = 58.9 * tenths;
    if (tenths > 10) pace->cancel_max_ms = 589;
    if (pace->cancel_max_ms < pace->cancel_min_ms) pace->cancel_max_ms = pace->cancel_min_ms;
}

static const char *accounts_line(int32_t words, char *word[]) {
    SimOrderFaults *pace = sim_order_faults();
    const char *first = after(words, word, "first"), *wait = after(words, word, "after"), *rest = after(words, word, "rest");
    if (!first && !wait && !rest) return "expected: accounts [first N] [after MS] [rest MS]";
    if (first) pace->accounts_first = atoi(first);
    if (wait) pace->accounts_ms = atof(wait);
    if (rest) pace->accounts_rest_ms = atof(rest);
    return NULL;
}

bool order_line(int32_t words, char *word[], const char **wrong) {
    *wrong = NULL;
    if (strcmp(word[0], "order") == 0) {
        *wrong = order_verb(words, word);
    } else if (strcmp(word[0], "account") == 0) {
        *wrong = account_line(words, word);
    } else if (strcmp(word[0], "accounts") == 0) {
        *wrong = accounts_line(words, word);
    } else if (strcmp(word[0], "latency") == 0 && words == 2) {
        set_latency(atof(word[1]));
    } else if (strcmp(word[0], "routing-password") == 0 && words == 2) {
        sim_widen(sim_order_faults()->routing_password, SIM_TEXT, word[1]);
    } else {
        return false;
    }
    return true;
}
