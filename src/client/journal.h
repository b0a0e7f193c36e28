/* SPDX-License-Identifier: MIT
 *
 * The entries of the journal that are shmd's, or claim to be.
 */
#pragma once

#include "client/claim.h"

struct journal_options {
    const char *directory; /* of journal files; NULL: this machine's journal */
    const char *instance;  /* only this one's entries; NULL: of all */
    uint64_t since_usec;
    uint64_t until_usec; /* UINT64_MAX: as far as it goes */
};

/* Anything but 0 ends the reading. */
typedef int (*journal_hand)(void *userdata, const struct claim *claim);

/*
 * Hands over each entry in turn; `claim` is valid until the function returns. Returns what that
 * returned, or a negative errno: -EACCES if there are journal files that this user may not read,
 * because then nothing would be proven.
 */
int journal_read(const struct journal_options *options, journal_hand hand, void *userdata);
