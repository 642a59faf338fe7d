/* The arithmetic of a position, apart from everything else so that it can be checked alone. */
#include <stdlib.h>

#include "trading.h"

static int64_t magnitude(int64_t net) {
    return net < 0 ? -net : net;
}

void holding_traded(Holding *holding, int64_t signed_quantity, double price) {
    int64_t before = holding->net, after = before + signed_quantity;
    bool grows = before == 0 || (before < 0) == (signed_quantity < 0);

    if (after == 0) {
        holding->average = 0;
    } else if (grows) {
        double cost = holding->average * (double)magnitude(before) + price * (double)magnitude(signed_quantity);
        holding->average = cost / (double)magnitude(after);
    } else if ((before < 0) != (after < 0)) {
        holding->average = price; /* through zero: what is open now was opened here */
    }
    holding->net = after;
}
