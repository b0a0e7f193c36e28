/* SPDX-License-Identifier: MIT */
#include "client/claim.h"

#include "base/parse.h"

#include <string.h>

static const struct {
    const char *text;
    size_t length;
} fields[] = {
#define FIELD(name, text) {text, sizeof(text) - 1},
    CLAIM_FIELDS(FIELD)
#undef FIELD
};

void claim_clear(struct claim *claim, uint64_t usec)
{
    claim->usec = usec;
    for (size_t i = 0; i < CLAIM_COUNT; i++) {
        claim->values[i][0] = '\0';
    }
}

static void value_take(char *value, const char *bytes, size_t length)
{
    bool whole = length > 0 && length < CLAIM_VALUE_SIZE;
    size_t used = length < CLAIM_VALUE_SIZE ? length : CLAIM_VALUE_SIZE - 2;

    for (size_t i = 0; i < used; i++) {
        value[i] = bytes[i];
        if ((unsigned char)bytes[i] < ' ' || bytes[i] == 0x7f) {
            value[i] = '?';
        }
    }
    if (!whole) {
        value[used++] = '?';
    }
    value[used] = '\0';
}

void claim_add(struct claim *claim, const void *data, size_t length)
{
    const char *separator = memchr(data, '=', length);
    size_t name_length = separator ? (size_t)(separator - (const char *)data) : 0;

    for (size_t i = 0; i < CLAIM_COUNT; i++) {
        if (name_length == fields[i].length && memcmp(data, fields[i].text, name_length) == 0) {
            if (!claim->values[i][0]) {
                value_take(claim->values[i], separator + 1, length - name_length - 1);
            }
            return;
        }
    }
}

bool claim_has(const struct claim *claim, enum claim_field field)
{
    return claim->values[field][0];
}

bool claim_is(const struct claim *claim, enum claim_field field, const char *value)
{
    return strcmp(claim->values[field], value) == 0;
}

bool claim_number(const struct claim *claim, enum claim_field field, uint64_t *ret)
{
    return parse_u64(claim->values[field], ret) == 0;
}
