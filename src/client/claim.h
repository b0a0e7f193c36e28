/* SPDX-License-Identifier: MIT
 *
 * What a journal entry claims: the fields that an audit looks at, as texts of bounded length.
 *
 * Anybody can send an entry with any fields; only those that begin with an underscore are the
 * journal's own word. So a value is nothing but text here. Control characters in it become question
 * marks, one that is too long or empty ends with one, and what is no number stays none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLAIM_VALUE_SIZE ((size_t)256)

#define CLAIM_FIELDS(FIELD)                                                                        \
    FIELD(EVENT, "SHMD_EVENT")                                                                     \
    FIELD(INSTANCE, "SHMD_INSTANCE")                                                               \
    FIELD(EPOCH, "SHMD_EPOCH")                                                                     \
    FIELD(SEQUENCE, "SHMD_ACK_SEQ")                                                                \
    FIELD(FIRST, "SHMD_RECORD_FIRST")                                                              \
    FIELD(LAST, "SHMD_RECORD_LAST")                                                                \
    FIELD(RECORDS, "SHMD_RECORDS")                                                                 \
    FIELD(LOST, "SHMD_LOST")                                                                       \
    FIELD(BYTES, "SHMD_BYTES")                                                                     \
    FIELD(SESSION, "SHMD_SESSION")                                                                 \
    FIELD(RESUMES, "SHMD_RESUMES")                                                                 \
    FIELD(VERIFIED, "SHMD_CLIENT_VERIFIED")                                                        \
    FIELD(CLIENT_UID, "SHMD_CLIENT_UID")                                                           \
    FIELD(CLIENT_USER, "SHMD_CLIENT_USER")                                                         \
    FIELD(SENDER_UID, "_UID")                                                                      \
    FIELD(SENDER_PID, "_PID")

enum claim_field {
#define FIELD(name, text) CLAIM_##name,
    CLAIM_FIELDS(FIELD)
#undef FIELD
        CLAIM_COUNT,
};

struct claim {
    uint64_t usec;                              /* when the journal received it, since 1970 */
    char values[CLAIM_COUNT][CLAIM_VALUE_SIZE]; /* empty: not there */
};

void claim_clear(struct claim *claim, uint64_t usec);

/* Takes a field of the entry, as "NAME=value"; of two with one name, the first. */
void claim_add(struct claim *claim, const void *data, size_t length);

bool claim_has(const struct claim *claim, enum claim_field field);

bool claim_is(const struct claim *claim, enum claim_field field, const char *value);

/* The value as a number. False: it is not there, or no number. */
bool claim_number(const struct claim *claim, enum claim_field field, uint64_t *ret);
