/* Stands in for the trading half where orders.c is missing. */
#include "simulator.h"

const SimTrading sim_trading = {0};
