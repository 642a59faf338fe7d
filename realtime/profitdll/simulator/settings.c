/* The settings before any script: real time, the wall clock, a market round the clock. */
#include "market.h"

static Settings chosen = {
    .seed = 7,
    .speed = 1,
    .quantum_us = 250,
    .settle_ms = 200,
    .await_symbols = 1,
    .quotes = true,
    .start_ms = INT64_MIN,
    .stop_ms = INT64_MAX,
    .anchor_ms = INT64_MIN,
    .open_s = 30, /* even a market round the clock opens with an auction */
    .close_s = DAY_SECONDS,
    .handshake_ms = 200,
    .queue = 65536,
    .slow_at = 49152,
    .watchdog_ms = 5000,
    .daily_every_s = 5,
    .depth_rate = 50,
    .history_rate = 30000,
    .history_days = 30,
    .separator = u'.',
    .step = 10,
    .broker_delay_ms = 0,
};

static SimOrderFaults order_faults = {
    .accounts_first = 1,
    .accounts_ms = 20,
    .accounts_rest_ms = 120,
    .first_ms = 19.6,
    .step_ms = 4,
    .fill_min_ms = 62.5,
    .fill_max_ms = 72.6,
    .cancel_min_ms = 73,
    .cancel_max_ms = 589,
    .refusal_ms = 670,
    .duplicate_min = 2,
    .duplicate_max = 5,
    .history_ms = 40,
    .fill_at_touch = true,
};

Settings *settings(void) { return &chosen; }
SimOrderFaults *sim_order_faults(void) { return &order_faults; }
uint64_t sim_seed(void) { return chosen.seed; }

bool sim_strikes(SimFault *fault, int64_t quantity) {
    static uint64_t random; /* under the lock */
    if (fault->left == 0 || quantity < fault->least || (fault->most && quantity > fault->most)) return false;
    if (!random) random = chosen.seed ^ 0xFA17;
    if (fault->one_in > 1 && sim_random(&random) % (uint64_t)fault->one_in != 0) return false;
    if (fault->left > 0) fault->left--;
    return true;
}
