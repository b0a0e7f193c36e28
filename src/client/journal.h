/* SPDX-License-Identifier: MIT
 *
 * The entries of the journal, of shmd and of all others. They are read one after the other, from
 * the first to the last, and not looked up in the journal's indexes: an index that is damaged hides
 * entries without a word.
 */
#pragma once

#include "client/claim.h"
#include "client/judge.h"

#include <sys/types.h>

struct journal_options {
    const char *directory; /* of journal files; NULL: this machine's journal */
    const char *instance;  /* only those that name it; NULL: of all */
    uint64_t since_usec;
    uint64_t until_usec; /* UINT64_MAX: as far as it goes */
};

/* Anything but 0 ends the reading. */
typedef int (*journal_hand)(void *userdata, const struct claim *claim);

/*
 * Can what the journal holds be known? Looks at each of its files, see journalfile.h. -EACCES:
 * there are files that this user may not read; -ENODATA: there is no file at all.
 */
int journal_check(const struct journal_options *options, struct files *damaged,
                  struct files *left_open);

/*
 * Hands over each entry in turn, from the first to the last one whose time lies within the bounds:
 * not each in between need do that, as the clock may have been set. `claim` is valid until the
 * function returns. Returns what that returned, or a negative errno.
 */
int journal_read(const struct journal_options *options, journal_hand hand, void *userdata);

/* Is there an entry of the daemon with that user id, and of the instance, at any time? 1 or 0. */
int journal_knows(const struct journal_options *options, uid_t daemon);
