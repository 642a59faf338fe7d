/* Text in UTF-16 and the seeded random numbers. */
#include <string.h>

#include "market.h"

size_t sim_length(PText text) {
    size_t length = 0;
    while (text && text[length]) length++;
    return length;
}

void sim_copy(char16_t *into, size_t units, PText text) {
    size_t at = 0;
    for (; text && text[at] && at + 1 < units; at++) into[at] = text[at];
    into[at] = 0;
}

bool sim_same(PText one, PText other) {
    if (!one || !other) return one == other;
    while (*one && *one == *other) one++, other++;
    return *one == *other;
}

/* One code point of UTF-8; malformed bytes pass as Latin-1. */
static uint32_t decoded(const unsigned char **at) {
    const unsigned char *p = *at;
    int more = p[0] >= 0xF0 ? 3 : p[0] >= 0xE0 ? 2 : p[0] >= 0xC0 ? 1 : 0;
    uint32_t code = more == 3 ? p[0] & 7u : more == 2 ? p[0] & 15u : more == 1 ? p[0] & 31u : p[0];
    for (int k = 1; k <= more; k++) {
        if ((p[k] & 0xC0) != 0x80) {
            *at = p + 1;
            return p[0];
        }
        code = code << 6 | (p[k] & 63u);
    }
    *at = p + 1 + more;
    return code;
}

void sim_widen(char16_t *into, size_t units, const char *utf8) {
    const unsigned char *at = (const unsigned char *)utf8;
    size_t length = 0;
    while (*at && length + 2 < units) {
        uint32_t code = decoded(&at);
        if (code > 0xFFFF) {
            into[length++] = (char16_t)(0xD800 + ((code - 0x10000) >> 10));
            into[length++] = (char16_t)(0xDC00 + ((code - 0x10000) & 0x3FF));
        } else {
            into[length++] = (char16_t)code;
        }
    }
    if (*at && length + 1 < units && *at < 0x80) into[length++] = *at;
    into[length] = 0;
}

void sim_narrow(char *into, size_t size, PText text) {
    size_t length = 0;
    for (size_t at = 0; text && text[at]; at++) {
        uint32_t code = text[at];
        if (code >= 0xD800 && code < 0xDC00 && text[at + 1] >= 0xDC00 && text[at + 1] < 0xE000)
            code = 0x10000 + ((code - 0xD800) << 10) + (text[++at] - 0xDC00u);
        int more = code >= 0x10000 ? 3 : code >= 0x800 ? 2 : code >= 0x80 ? 1 : 0;
        if (length + (size_t)more + 1 >= size) break;
        static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
        into[length++] = (char)(lead[more] | code >> (6 * more));
        for (int k = more - 1; k >= 0; k--) into[length++] = (char)(0x80 | (code >> (6 * k) & 63u));
    }
    into[length] = 0;
}

void sim_text_out(char16_t *buffer, int32_t *length, PText text) {
    int32_t needed = (int32_t)sim_length(text);
    if (buffer && *length > 0) {
        int32_t copied = *length < needed ? *length : needed;
        if (copied) memcpy(buffer, text, (size_t)copied * sizeof *buffer);
    }
    *length = needed;
}

uint64_t mixed(uint64_t value) {
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9u;
    value = (value ^ value >> 27) * 0x94D049BB133111EBu;
    return value ^ value >> 31;
}

uint64_t sim_random(uint64_t *state) { return mixed(*state += 0x9E3779B97F4A7C15u); }
