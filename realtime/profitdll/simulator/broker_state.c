/* The broker's memory on disk: it outlives the process, as a real broker does.
 *
 * One append-only file of fixed records, one per change of an order; the last record of an order is its state and the
 * sum of the fills is the position. Each record is handed to the system whole before the client hears of the change,
 * so after a kill at any moment the broker knows at least what the client was told. A torn tail is written over. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trading.h"

enum { RECORD_MAGIC = 0x32534254 };

typedef struct Record {
    uint32_t magic;
    int32_t broker;
    char16_t account[ACCOUNT_UNITS], sub_account[ACCOUNT_UNITS];
    char16_t ticker[SIM_TICKER], exchange[2];
    char16_t cl_ord_id[CL_ORD_ID_UNITS], text[SIM_TEXT];
    uint8_t side, place, status, type;
    uint8_t cancel_pending, triggered, has_cl_ord_id, reserved;
    int64_t quantity, traded, traded_ticks;
    double price, stop;
    int64_t created_at, updated_at, closed_at;
    int64_t fill;
    double fill_price;
    uint64_t checksum; /* of everything above */
} Record;

static FILE *file;
static char error[256];

static uint64_t checksum_of(const Record *record) {
    const unsigned char *byte = (const unsigned char *)record;
    uint64_t hash = 14695981039346656037u;
    for (size_t index = 0; index < offsetof(Record, checksum); index++) {
        hash = (hash ^ byte[index]) * 1099511628211u;
    }
    return hash;
}

static const char *failed(const char *path, const char *what) {
    snprintf(error, sizeof error, "broker-state %.150s: %.80s", path, what);
    return error;
}

static void state_read(Order *order, const Record *record) {
    OrderState *state = &order->broker;
    order->side = record->side;
    order->place = record->place;
    order->cancel_pending = record->cancel_pending != 0;
    order->triggered = record->triggered != 0;
    order->created_at = record->created_at;
    state->status = record->status;
    state->type = record->type;
    state->has_cl_ord_id = record->has_cl_ord_id != 0;
    state->quantity = record->quantity;
    state->traded = record->traded;
    state->traded_ticks = record->traded_ticks;
    state->price = record->price;
    state->stop = record->stop;
    state->updated_at = record->updated_at;
    state->closed_at = record->closed_at;
    state->text = interned_units(record->text);
}

static bool record_restored(const Record *record) {
    Order *order = order_by_cl_ord_id(record->cl_ord_id);
    if (!order) {
        Account *account = account_named(record->broker, record->account, record->sub_account);
        Listing *listing;
        if (!account || listing_found(record->ticker, record->exchange, &listing) != NL_OK) {
            return false;
        }
        order = order_created(account, listing);
        memcpy(order->cl_ord_id, record->cl_ord_id, sizeof order->cl_ord_id);
        order_restored(order);
    }
    state_read(order, record);
    if (record->fill) {
        position_traded(order, record->fill, record->fill_price, record->updated_at);
    }
    return true;
}

/* Leaves the file positioned after the last whole record. */
static const char *records_read(const char *path) {
    Record record;
    long end = 0;
    while (fread(&record, sizeof record, 1, file) == 1 && record.magic == RECORD_MAGIC &&
           record.checksum == checksum_of(&record)) {
        if (!record_restored(&record)) {
            return failed(path, "a stored order names an account or asset that the script does not have");
        }
        end += (long)sizeof record;
    }
    return fseek(file, end, SEEK_SET) == 0 ? NULL : failed(path, strerror(errno));
}

const char *broker_state_opened(const char *path) {
    file = platform_open(path, "r+b");
    if (!file) {
        file = platform_open(path, "w+b");
    }
    if (!file) {
        return failed(path, strerror(errno));
    }
    const char *wrong = records_read(path);
    if (wrong) {
        broker_state_closed();
    }
    return wrong;
}

void broker_state_written(const Order *order, int64_t fill, double fill_price) {
    if (!file || !order->cl_ord_id[0]) {
        return;
    }
    const OrderState *state = &order->broker;
    Record record;
    memset(&record, 0, sizeof record); /* padding is part of the checksum */
    record.magic = RECORD_MAGIC;
    record.broker = order->account->told.broker;
    memcpy(record.account, order->account->told.account, sizeof record.account);
    memcpy(record.sub_account, order->account->told.sub_account, sizeof record.sub_account);
    memcpy(record.ticker, order->listing->ticker, sizeof record.ticker);
    memcpy(record.exchange, order->listing->exchange, sizeof record.exchange);
    memcpy(record.cl_ord_id, order->cl_ord_id, sizeof record.cl_ord_id);
    sim_copy(record.text, SIM_TEXT, state->text);
    record.side = order->side;
    record.place = order->place;
    record.status = state->status;
    record.type = state->type;
    record.cancel_pending = order->cancel_pending;
    record.triggered = order->triggered;
    record.has_cl_ord_id = state->has_cl_ord_id;
    record.quantity = state->quantity;
    record.traded = state->traded;
    record.traded_ticks = state->traded_ticks;
    record.price = state->price;
    record.stop = state->stop;
    record.created_at = order->created_at;
    record.updated_at = state->updated_at;
    record.closed_at = state->closed_at;
    record.fill = fill;
    record.fill_price = fill_price;
    record.checksum = checksum_of(&record);
    if (fwrite(&record, sizeof record, 1, file) != 1 || fflush(file) != 0) {
        perror("broker-state");
        abort(); /* going on would let the broker forget what the client is about to hear */
    }
}

void broker_state_closed(void) {
    if (file) {
        fclose(file);
    }
    file = NULL;
}
