/* Every setter: replaces its slot at once, also while events are delivered; null clears. */
#include "market.h"

static SimCallbacks callbacks;

SimCallbacks *sim_callbacks(void) { return &callbacks; }

#define SETTER(name, type, slot)                                                        \
    PROFIT_EXPORT int32_t PROFIT_CALL name(type callback) {                             \
        int32_t refusal = sim_enter_accessor(#name);                                    \
        if (refusal != NL_OK) return refusal;                                           \
        atomic_store_explicit(&callbacks.slot, callback, memory_order_release);         \
        return NL_OK;                                                                   \
    }
PROFIT_SETTERS(SETTER)
