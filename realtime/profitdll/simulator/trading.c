/* The trading half as the simulator's core knows it: start, stop, ticks, states, days and the script's `order` verb. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trading.h"

static bool was_up, started;
static int64_t last_event_id, last_message_id;
static char state_path[1024];

double order_chance(const Order *order, enum Chance purpose, int64_t round) {
    uint64_t state = sim_seed() ^ ((uint64_t)order->number * 0x9E3779B97F4A7C15u);
    state ^= sim_random(&state) + (uint64_t)purpose;
    state ^= sim_random(&state) + (uint64_t)round;
    return (double)(sim_random(&state) >> 11) / 9007199254740992.0;
}

typedef struct Timer {
    OrderTask task;
    void *subject;
    int64_t tag;
} Timer;

static void timer_due(void *payload) {
    Timer timer;
    memcpy(&timer, payload, sizeof timer);
    timer.task(timer.subject, timer.tag);
}

void trading_at(int64_t due_ns, OrderTask task, void *subject, int64_t tag) {
    Timer timer = {task, subject, tag};
    sim_run_at(due_ns, timer_due, &timer, sizeof timer);
}

void trading_after(double ms, OrderTask task, void *subject, int64_t tag) {
    trading_at(SIM_AFTER_MS(ms), task, subject, tag);
}

int64_t next_event_id(void) {
    return ++last_event_id;
}

int64_t next_message_id(void) {
    return ++last_message_id;
}

/* ---- the connection ------------------------------------------------------------------------------------------------ */

bool routing_was_up(void) {
    return was_up;
}

bool routing_reaches_server(void) {
    return sim_state(STATE_ROUTING) >= ROUTING_CONNECTED;
}

bool routing_reaches_broker(void) {
    return sim_state(STATE_ROUTING) == ROUTING_BROKER_CONNECTED;
}

bool broker_is_down(void) {
    int32_t state = sim_state(STATE_ROUTING);
    return state == ROUTING_BROKER_DISCONNECTED || state == ROUTING_BROKER_CONNECTING;
}

bool routing_password_is(PText password) {
    PText right = sim_order_faults()->routing_password;
    return sim_length(right) == 0 || sim_same(password, right);
}

static void routing_changed(int32_t type, int32_t result) {
    if (type != STATE_ROUTING) {
        return;
    }
    if (result != ROUTING_BROKER_CONNECTED) {
        accounts_gap();
    } else if (!was_up) {
        was_up = true;
        accounts_on_routing();
    }
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

static const char *state_opened(void) {
    const char *wrong = broker_state_opened(state_path);
    if (!wrong) {
        orders_resumed();
    }
    return wrong;
}

static void trading_started(void) {
    accounts_started();
    started = true;
    const char *wrong = state_path[0] ? state_opened() : NULL;
    if (wrong) {
        fprintf(stderr, "ProfitDLL simulator: %s\n", wrong);
        abort(); /* a broker that starts empty would hide orders */
    }
}

static void trading_stopped(void) {
    broker_state_closed(); /* the rest stays: a process logs in once, and late timers may still look at an order */
}

static void day_began(int32_t session_date) {
    (void)session_date;
    orders_expired(NULL);
}

/* ---- the script's verb `order` ------------------------------------------------------------------------------------------ */

static const char *state_named(const char *path) {
    if (strlen(path) >= sizeof state_path) {
        return "broker-state: the path is too long";
    }
    FILE *file = platform_open(path, "ab");
    if (!file) {
        return "broker-state: the file cannot be written";
    }
    fclose(file);
    strcpy(state_path, path);
    return started ? state_opened() : NULL;
}

static const char *command(int32_t words, char *word[]) {
    if (words == 3 && strcmp(word[1], "broker-state") == 0) {
        return state_named(word[2]);
    }
    if (words == 4 && strcmp(word[1], "reject-cancel") == 0) {
        cancels_rejected_next(atoi(word[3]), (uint8_t)atoi(word[2]));
        return NULL;
    }
    if (words == 2 && strcmp(word[1], "plain-stops") == 0) {
        plain_stops_allowed();
        return NULL;
    }
    return "expected: order broker-state FILE, order reject-cancel CODE COUNT, or order plain-stops";
}

const SimTrading sim_trading = {
    .start = trading_started,
    .stop = trading_stopped,
    .on_tick = matching_on_tick,
    .on_state = routing_changed,
    .on_day = day_began,
    .command = command,
};
