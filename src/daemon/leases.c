/* SPDX-License-Identifier: MIT */
#include "daemon/leases.h"
#include "base/clock.h"
#include "base/timer.h"
#include "daemon/publishers.h"
#include "daemon/subscribers.h"

#define FORGIVEN_LEASES 10 /* after which an eviction is forgiven */
#define EVICTIONS_MAX   16 /* more make no difference */
#define BEATS           8  /* in a lease */
#define LATE_LEASES     10 /* for so long, who is late may still say what it has acknowledged */

static struct lease_clock *clock_of(const struct manager *manager)
{
    return &manager->state->file->lease_clock;
}

/* --- for how long --- */

static uint64_t full_lease(const struct manager *manager)
{
    return manager->conf->lease_ms * USEC_PER_MSEC;
}

/* Evictions of this user, but for those that are forgiven. */
static unsigned evictions(const struct manager *manager, const struct usage *user)
{
    uint64_t passed = clock_usec() - user->evicted_usec;
    uint64_t forgiven = passed / (FORGIVEN_LEASES * full_lease(manager));

    return forgiven < user->evictions ? user->evictions - (unsigned)forgiven : 0;
}

static void count_eviction(const struct manager *manager, struct usage *user)
{
    unsigned count = evictions(manager, user);

    user->evictions = count < EVICTIONS_MAX ? count + 1 : count;
    user->evicted_usec = clock_usec();
}

uint64_t leases_length(const struct manager *manager, const struct session *session)
{
    uint64_t usec = full_lease(manager) >> 2 * evictions(manager, session->usage);

    return usec > LEASE_MIN_USEC ? usec : LEASE_MIN_USEC;
}

/* Until who is away has to be back; or, if it is late, until it is forgotten. */
static uint64_t away_length(const struct manager *manager, const struct session *session)
{
    return session->cursor->late ? full_lease(manager) * LATE_LEASES
           : session->deaf       ? leases_length(manager, session)
                                 : full_lease(manager);
}

/* --- the timer --- */

/* What its user holds, if it is one of those that do. */
static const struct hold *hold_of(const struct session *session)
{
    static const struct hold none;

    return session_is_owed(session) ? &session->usage->hold : &none;
}

static uint64_t end_of(const struct manager *manager, const struct session *session)
{
    return session->cursor ? lease_end(&session->cursor->lease, hold_of(session), clock_of(manager),
                                       session->acknowledged, session->lease_usec)
                           : UINT64_MAX;
}

static void arm(struct manager *manager, uint64_t end)
{
    struct lease_clock *clock = clock_of(manager);

    clock->seen = clock_usec();
    (void)sd_event_source_set_time(manager->lease_source, end + clock->paused);
    (void)sd_event_source_set_enabled(manager->lease_source, SD_EVENT_ONESHOT);
    manager->lease_armed = end;
}

/* Sees to it that we are there when a lease ends (UINT64_MAX: never), or for the beat before. */
static inline void await(struct manager *manager, uint64_t end, uint64_t now)
{
    uint64_t beat = now + full_lease(manager) / BEATS;
    uint64_t first = end < beat ? end : beat;

    if (first < manager->lease_armed && end < UINT64_MAX) {
        arm(manager, first);
    }
}

/*
 * Its lease is over. Who is away is not waited for any more; but when it comes, it may have
 * acknowledged what nobody has seen, and that is logged as ever.
 */
static void evict(struct manager *manager, struct session *session)
{
    bool held = hold_concerns(hold_of(session), clock_of(manager), session->acknowledged);

    if (session->cursor->late) {
        sessions_drop(session, SESSION_FORGOTTEN);
    } else if (session_is_away(session) && session_is_owed(session)) {
        if (session->deaf) {
            count_eviction(manager, session->usage);
        }
        subscribers_await_no_more(manager, session);
        leases_await(manager, session);
    } else {
        if (!session_is_away(session)) {
            count_eviction(manager, session->usage);
        }
        sessions_drop(session, held ? SESSION_AWAITED : SESSION_EVICTED);
    }
}

/* Evicts whoever owes for too long, and sleeps until the next one could. */
static int on_lease(sd_event_source *s, uint64_t usec, void *userdata)
{
    struct manager *manager = userdata;
    uint64_t earliest = UINT64_MAX;
    struct session *next;
    uint64_t now;

    (void)s;
    (void)usec;
    manager->lease_armed = UINT64_MAX;
    subscribers_work(manager); /* who has acknowledged just now, owes less */
    now = lease_time(clock_of(manager), clock_usec());
    for (struct session *session = manager->sessions->first; session; session = next) {
        uint64_t end = end_of(manager, session);

        next = session->next;
        if (end <= now) {
            evict(manager, session);
        } else {
            earliest = end < earliest ? end : earliest;
        }
    }
    await(manager, earliest, now);
    return 0;
}

int leases_open(struct manager *manager)
{
    lease_clock_start(clock_of(manager), clock_usec(), full_lease(manager) / BEATS);
    manager->lease_armed = UINT64_MAX;
    return timer_new(manager->event, 1, on_lease, manager, &manager->lease_source);
}

void leases_close(struct manager *manager)
{
    clock_of(manager)->seen = clock_usec();
}

/* --- who owes, and who waits --- */

void leases_adopt(struct manager *manager, struct session *session)
{
    uint64_t now = lease_time(clock_of(manager), clock_usec());
    struct cursor *cursor = session->cursor;
    struct hold *hold = &session->usage->hold;

    session->lease_usec =
        cursor->late ? away_length(manager, session) : leases_length(manager, session);
    lease_adopt(&cursor->lease, clock_of(manager), board_newest(&manager->board), now);
    if (cursor->segment_id == manager->segment.id && cursor->lease.hold.until > hold->until) {
        *hold = cursor->lease.hold; /* of several, the one that was noted last */
    }
    await(manager, end_of(manager, session), now);
}

void leases_begin(struct manager *manager, struct session *session, uint64_t now)
{
    now = lease_time(clock_of(manager), now);
    lease_begin(&session->cursor->lease, now);
    await(manager, now + session->lease_usec, now);
}

void leases_await(struct manager *manager, struct session *session)
{
    if (session->cursor->late || !session->deaf) { /* who is deaf was here, and silent */
        session->cursor->lease.since = 0;
    }
    session->lease_usec = away_length(manager, session);
    leases_begin(manager, session, clock_usec());
}

void leases_renew(struct manager *manager, struct session *session, uint64_t now)
{
    const struct board *board = &manager->board;
    bool owes = session->acknowledged < board_newest(board) && !board_overwrites(board);

    now = lease_time(clock_of(manager), now);
    lease_renew(&session->cursor->lease, owes, now);
    if (owes) {
        await(manager, now + session->lease_usec, now);
    }
}

/* Is there no room, and one who has nothing else to do than to wait for some? */
static bool somebody_waits(struct manager *manager, const struct progress *progress)
{
    const struct board *board = &manager->board;
    uint64_t newest = board_newest(board);

    return manager->sessions->count > 1 && progress->subscribers && progress->slowest < newest &&
           !board_overwrites(board) && !board_wants(board, progress) &&
           (progress->foremost >= newest || publishers_wait(manager));
}

void leases_watch(struct manager *manager, const struct progress *progress)
{
    bool somebody = somebody_waits(manager, progress);
    struct lease_clock *clock = clock_of(manager);
    uint64_t newest = board_newest(&manager->board);
    uint64_t now;

    if (!somebody && clock->waiting == 0) {
        return;
    }
    now = lease_time(clock, manager_usec(manager));
    lease_wait(clock, somebody, now);
    for (struct session *session = manager->sessions->first; somebody && session;
         session = session->next) {
        if (session_is_owed(session) && session->acknowledged < newest) {
            hold_begin(&session->usage->hold, clock, progress->slowest, newest, now);
            session->cursor->lease.hold = session->usage->hold;
            await(manager, end_of(manager, session), now);
        }
    }
}

void leases_forget(struct manager *manager)
{
    for (struct usage *usage = manager->sessions->usages.first; usage; usage = usage->next) {
        usage->hold = (struct hold){0};
    }
}

uint64_t leases_first(const struct manager *manager, const struct session *newcomer,
                      uint64_t oldest)
{
    const struct lease_clock *clock = clock_of(manager);
    const struct hold *hold = &newcomer->usage->hold;
    uint64_t waited = hold_waited(hold, clock, lease_time(clock, clock_usec()));
    uint64_t done = 0;

    if (hold->until < oldest || waited < leases_length(manager, newcomer) / 2) {
        return oldest;
    }
    for (const struct session *session = manager->sessions->first; session;
         session = session->next) {
        if (session_subscribes(session) && session->first <= oldest &&
            session->acknowledged > done) {
            done = session->acknowledged;
        }
    }
    done = done < hold->until ? done : hold->until;
    return done < oldest ? oldest : done + 1;
}

uint64_t leases_left(const struct manager *manager, const struct session *session)
{
    uint64_t now = lease_time(clock_of(manager), clock_usec());
    uint64_t end = end_of(manager, session);

    return end == UINT64_MAX ? session->lease_usec : end > now ? end - now : 0;
}

void leases_reconsider(struct manager *manager)
{
    for (struct session *session = manager->sessions->first; session; session = session->next) {
        session->lease_usec = session_is_away(session) ? away_length(manager, session)
                                                       : leases_length(manager, session);
    }
    if (manager->lease_armed != UINT64_MAX) {
        arm(manager, lease_time(clock_of(manager), clock_usec()));
    }
}
