/* A tape: header, symbol table, records in the order of time; little-endian, 64 bytes each. */
#ifndef SIM_TAPE_H
#define SIM_TAPE_H

#include <stdint.h>

typedef struct TapeHeader {
    char magic[8]; /* SIMTAPE1 */
    uint32_t symbols;
    uint32_t record_size; /* 64 */
    uint64_t records;
    unsigned char reserved[40];
} TapeHeader;

typedef struct TapeSymbol {
    char name[24]; /* UTF-8, NUL-padded */
    char exchange;
    unsigned char padding[7];
    double tick;
    int64_t lot;
    double multiplier;
    unsigned char reserved[8];
} TapeSymbol;

typedef struct TapeRecord {
    uint32_t symbol; /* index into the table */
    uint32_t number;
    int64_t time_ms; /* naive Sao Paulo clock, since 1970-01-01 */
    double price;
    int64_t quantity;
    double volume;
    int32_t buy_agent, sell_agent;
    uint8_t type;
    uint8_t flags; /* 1: an edit of an earlier number */
    unsigned char reserved[14];
} TapeRecord;

_Static_assert(sizeof(TapeHeader) == 64 && sizeof(TapeSymbol) == 64 && sizeof(TapeRecord) == 64, "64 bytes each");

#endif
