/* SPDX-License-Identifier: MIT
 *
 * An entry about an acknowledgement, with its values read and held against each other.
 */
#pragma once

#include "client/judge.h"

struct acknowledgement {
    uint64_t sequence;
    uint64_t first, last; /* records */
    uint64_t records;
    uint64_t lost; /* of first…last, to this session */
    uint64_t bytes;
    enum who who;
    uint64_t uid;     /* 0 unless of one user */
    const char *user; /* its name; points into the claim */
    bool has_session; /* else who has none, or several of them */
    uint64_t session;
};

/* False: it is malformed, nothing that the daemon would send. */
bool acknowledgement_read(const struct claim *claim, struct acknowledgement *ret);
