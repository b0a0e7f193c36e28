/* SPDX-License-Identifier: MIT
 *
 * A lease: for how long a subscriber may be silent while it owes an acknowledgement or is expected
 * back, and for how long in all those of one user may keep others waiting. Pure policy, without
 * clock or loop.
 *
 * Others wait where there is no room for a record before a subscriber has acknowledged some, and
 * one of them, a subscriber or a publisher, has nothing else to do. For how long they do is counted
 * by one stopwatch for all. A user whose subscribers owe something meanwhile holds all that stood
 * there when they began to wait, and the stopwatch may run for a lease until these have
 * acknowledged it: whichever of them come and go, and however often there is a word about some
 * other record. Where nobody waits, whoever acknowledges now and then may be as slow as it likes.
 *
 * Leases lie in the state, and go on over a restart. They are counted in a time that stands still
 * while there is no daemon that could hear anybody; but for a beat, which may have been our last.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What others wait for until all subscribers of a user have acknowledged it. All 0: nothing. */
struct hold {
    uint64_t until;  /* the records up to this one, as far as they are not released; … */
    uint64_t waited; /* … and the stopwatch was here when that began */
};

/* Of one subscriber. All 0: it owes nothing. */
struct lease {
    uint64_t since;   /* it owes something or is away, and has acknowledged nothing; 0: not */
    struct hold hold; /* of its user, when it was noted last: the next daemon goes on from there */
};

/* In microseconds, and of the leases' time unless it says something else. */
struct lease_clock {
    uint64_t paused;  /* for so long it stood still */
    uint64_t seen;    /* it was so late, of the machine's time, when a daemon was seen last */
    uint64_t waiting; /* the stopwatch runs since then; 0: it does not, … */
    uint64_t waited;  /* … and before, it ran for so long in all */
};

static inline uint64_t lease_time(const struct lease_clock *clock, uint64_t machine_usec)
{
    return machine_usec - clock->paused;
}

/* A daemon is there, and will say so at least once in a beat as long as any lease runs. */
static inline void lease_clock_start(struct lease_clock *clock, uint64_t machine_usec,
                                     uint64_t beat)
{
    if (clock->seen > machine_usec || clock->paused > clock->seen) {
        *clock = (struct lease_clock){.seen = machine_usec}; /* damaged */
    }
    if (clock->seen > 0 && machine_usec - clock->seen > beat) {
        clock->paused += machine_usec - clock->seen - beat;
    }
    if (clock->waiting > lease_time(clock, machine_usec)) {
        clock->waiting = 0;
    }
    clock->seen = machine_usec;
}

/* What the stopwatch shows. */
static inline uint64_t lease_waited(const struct lease_clock *clock, uint64_t now)
{
    return clock->waited + (clock->waiting > 0 ? now - clock->waiting : 0);
}

/* Starts the stopwatch or stops it: somebody waits now, or nobody does. */
static inline void lease_wait(struct lease_clock *clock, bool somebody, uint64_t now)
{
    if (!somebody) {
        clock->waited = lease_waited(clock, now);
        clock->waiting = 0;
    } else if (clock->waiting == 0) {
        clock->waiting = now;
    }
}

/* Of a session that an earlier daemon left. */
static inline void lease_adopt(struct lease *lease, const struct lease_clock *clock,
                               uint64_t newest, uint64_t now)
{
    if (lease->since > now || lease->hold.until > newest ||
        lease->hold.waited > lease_waited(clock, now)) {
        *lease = (struct lease){0}; /* damaged */
    }
}

/* It owes something, or has to come back. */
static inline void lease_begin(struct lease *lease, uint64_t now)
{
    if (lease->since == 0) {
        lease->since = now;
    }
}

/* It has acknowledged something, and may owe more. */
static inline void lease_renew(struct lease *lease, bool owes, uint64_t now)
{
    lease->since = owes ? now : 0;
}

/* Somebody waits, and one of its user owes the newest record; up to `released`, all are done. */
static inline void hold_begin(struct hold *hold, const struct lease_clock *clock, uint64_t released,
                              uint64_t newest, uint64_t now)
{
    if (hold->until <= released) {
        hold->waited = lease_waited(clock, now);
        hold->until = newest;
    }
}

/* For how long others have waited in all. */
static inline uint64_t hold_waited(const struct hold *hold, const struct lease_clock *clock,
                                   uint64_t now)
{
    return lease_waited(clock, now) - hold->waited;
}

/* Do others wait for one that has acknowledged so much? */
static inline bool hold_concerns(const struct hold *hold, const struct lease_clock *clock,
                                 uint64_t acknowledged)
{
    return clock->waiting > 0 && hold->until > acknowledged;
}

/* When a lease of `length` runs out, if nothing happens until then; UINT64_MAX: never. */
static inline uint64_t lease_end(const struct lease *lease, const struct hold *hold,
                                 const struct lease_clock *clock, uint64_t acknowledged,
                                 uint64_t length)
{
    uint64_t silent = lease->since > 0 ? lease->since + length : UINT64_MAX;
    uint64_t held = UINT64_MAX;

    if (hold_concerns(hold, clock, acknowledged)) {
        held = clock->waiting + length + hold->waited - clock->waited;
    }
    return held < silent ? held : silent;
}
