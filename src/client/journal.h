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
 * Can what the journal holds be known? sd-journal passes over files that it cannot read without a
 * word. *ret_damaged: how many are truncated or damaged; *ret_file: one of them, the caller's to
 * free. -EACCES: there are files that this user may not read; -ENODATA: there is no file at all.
 */
int journal_check(const struct journal_options *options, uint64_t *ret_damaged, char **ret_file);

/*
 * Hands over each entry in turn, from the first to the last one whose time lies within the bounds:
 * not each in between need do that, as the clock may have been set. `claim` is valid until the
 * function returns. Returns what that returned, or a negative errno.
 */
int journal_read(const struct journal_options *options, journal_hand hand, void *userdata);
