/* SPDX-License-Identifier: MIT
 *
 * Judges a stream of journal entries: is any entry about an acknowledgement missing?
 *
 * The daemon numbers these entries within an epoch, 1, 2, 3… without a gap (SHMD_ACK_SEQ), and the
 * entries of a session cover its records without a gap (ranges.h). So what the journal has lost
 * shows, as a gap in either. Only what the daemon itself has sent counts: that is decided by _UID,
 * which is the journal's own word; every other entry that looks like one of ours is forged, and
 * nothing in it is believed. Anybody can send such entries: they make nothing of ours less whole.
 *
 * Entries may come in any order. What is kept of them does not grow with their number, as long as
 * nothing is missing: intervals of numbers, totals, the sessions whose end was not seen, and the
 * first few faults of each kind.
 */
#pragma once

#include "client/claim.h"
#include "client/intervals.h"

#include "base/cleanup.h"

#include <sys/types.h>

#define FAULTS_LISTED 20

enum fault_kind {
    FAULT_MISSING,   /* numbers between others that are there */
    FAULT_REPEATED,  /* a number that was there already */
    FAULT_FOREIGN,   /* an entry that another user has sent: no fault of the journal's */
    FAULT_MALFORMED, /* one that makes no sense */
    FAULT_HOLE,      /* records between others of a session, or of its beginning or end */
    FAULT_OVERLAP,   /* records that an entry of the same session has covered before */
    FAULT_KINDS,
};

/* What is wrong: a range of entry numbers or, of a hole or an overlap, of a session's records. (Of
 * an overlap: the range of the entry with which it showed.) */
struct fault {
    const struct epoch *epoch; /* NULL: not known, as of all that follow */
    struct interval range;     /* 0: not known */
    uint64_t session;
    uint64_t usec; /* of what is foreign or malformed: when the journal received it, … */
    char uid[24];  /* … and from whom, in the journal's own word */
    char pid[24];
};

struct faults {
    uint64_t total;  /* entries or records */
    uint64_t places; /* how often; as many are listed as there is room for */
    struct fault listed[FAULTS_LISTED];
};

/* What was acknowledged. */
struct amount {
    uint64_t entries;
    uint64_t records;
    uint64_t lost;
    uint64_t bytes;
};

enum who {
    WHO_USER,
    WHO_ANONYMOUS, /* clients without a session */
    WHO_SEVERAL,   /* users, of whom one entry speaks */
};

struct user {
    struct user *next;
    enum who who;
    uint64_t uid;
    char name[CLAIM_VALUE_SIZE]; /* empty: not known */
    uint64_t sessions;
    struct amount amount;
};

struct epoch {
    struct epoch *next;
    char instance[CLAIM_VALUE_SIZE];
    char id[33];
    bool begun; /* its begin was seen: number 1 is the first that has to be there */
    struct intervals numbers;
    struct amount amount;
    uint64_t unread;   /* records that were let go, and nobody had acknowledged them */
    uint64_t vacuumed; /* numbers before the first one, if its begin was not seen */
    struct ranges *ranges;
};

/* Some files of the journal, and one of them by name. */
struct files {
    uint64_t count;
    char *example;
};

struct judge {
    uid_t daemon;
    uint64_t as_of_usec; /* the end of the stream: what was sent just before may not be there yet */
    uint64_t read_usec;  /* when it was read; what is later was noted by a clock that was ahead */
    uint64_t entries;    /* of any kind that were believed */
    struct epoch *epochs;
    struct user *users;
    struct faults faults[FAULT_KINDS];
    struct files damaged;   /* what they held, nobody knows */
    struct files left_open; /* what was written to them last may be lost */
    const char *instance;   /* whose entries are judged; NULL: of all */
    bool unheard;           /* the journal has none of them, of any time */
};

/* A judge of what the user `daemon` has sent. -ENOMEM. */
int judge_new(uid_t daemon, uint64_t as_of_usec, struct judge **ret);

/* The next entry. -ENOMEM. */
int judge_take(struct judge *judge, const struct claim *claim);

/* All have come: finds what is missing. */
void judge_finish(struct judge *judge);

/* After the end: is nothing wrong, and nothing unknown? */
bool judge_is_whole(const struct judge *judge);

/* Notes a fault of `fault->range`, or of one entry if that is not known. */
void judge_fault(struct judge *judge, enum fault_kind kind, const struct fault *fault);

/* The totals of a user, made if there are none. NULL: no memory. */
struct user *judge_user(struct judge *judge, enum who who, uint64_t uid);

struct judge *judge_free(struct judge *judge);

DEFINE_CLEANUP(struct judge, judge_free)
