/* The proof of what was delivered: a file mapped shared, so that it outlives a killed process. Little-endian. */
#ifndef SIM_EMITTED_H
#define SIM_EMITTED_H

#include <stdint.h>

enum { EMITTED_RUNS = 4096, EMITTED_ENTRIES = 65536, EMITTED_FAULTS = 262144 };

typedef struct EmittedHeader {
    char magic[8]; /* SIMEMIT1 */
    uint32_t runs, entries, faults; /* used */
    uint32_t run_room, entry_room, fault_room;
    uint64_t overflows; /* records that found no room */
    unsigned char reserved[24];
} EmittedHeader;

typedef struct EmittedRun { /* one process */
    int64_t started_ms; /* UTC */
    uint32_t process;
    uint32_t finished; /* 1: DLLFinalize */
    uint64_t trades;   /* callbacks that told a trade, of any kind */
    int64_t quantity;  /* of first deliveries */
    uint64_t seed;
    unsigned char reserved[24];
} EmittedRun;

typedef struct EmittedEntry { /* one symbol and session in one run */
    uint32_t run;
    int32_t session; /* 20261120 */
    char ticker[24];
    uint64_t first, last; /* numbers of first deliveries */
    uint64_t count;       /* of first deliveries */
    int64_t quantity;     /* of first deliveries */
    uint32_t step;        /* between numbers; 0: irregular */
    uint32_t reserved;
    uint64_t spare[2];
} EmittedEntry;

/* 1 missing, 2 repeated, 3 edited, 4 cached last trade of a subscription, 5 sentinel, 6 untranslatable, 7 own fill */
typedef struct EmittedFault {
    uint32_t entry, kind, cause, reserved;
    uint64_t first, last, count; /* numbers, both included */
} EmittedFault;

_Static_assert(sizeof(EmittedHeader) == 64 && sizeof(EmittedRun) == 64, "64 bytes each");
_Static_assert(sizeof(EmittedEntry) == 88 && sizeof(EmittedFault) == 40, "as documented");

#endif
