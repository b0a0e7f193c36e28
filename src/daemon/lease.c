/* SPDX-License-Identifier: MIT */
#include "daemon/lease.h"
#include "base/clock.h"
#include "daemon/subscribers.h"

#define FORGIVEN_LEASES 10 /* after which an eviction is forgiven */
#define EVICTIONS_MAX   16 /* more make no difference */

static uint64_t full_lease(const struct manager *manager)
{
    return manager->conf->lease_ms * USEC_PER_MSEC;
}

/* Evictions of this user, but for those that are forgiven. */
static unsigned evictions(const struct manager *manager, uid_t uid)
{
    const struct lease_account *account = &manager->lease_accounts[uid % LEASE_ACCOUNTS];
    uint64_t forgiven = (clock_usec() - account->usec) / (FORGIVEN_LEASES * full_lease(manager));

    return forgiven < account->evictions ? account->evictions - (unsigned)forgiven : 0;
}

static void count_eviction(struct manager *manager, uid_t uid)
{
    unsigned count = evictions(manager, uid);

    manager->lease_accounts[uid % LEASE_ACCOUNTS] = (struct lease_account){
        .evictions = count < EVICTIONS_MAX ? count + 1 : count, .usec = clock_usec()};
}

uint64_t lease_usec(const struct manager *manager, uid_t uid)
{
    uint64_t usec = full_lease(manager) >> 2 * evictions(manager, uid);

    return usec > LEASE_MIN_USEC ? usec : LEASE_MIN_USEC;
}

static void arm(struct manager *manager, uint64_t usec)
{
    (void)sd_event_source_set_time(manager->lease_source, usec);
    (void)sd_event_source_set_enabled(manager->lease_source, SD_EVENT_ONESHOT);
    manager->lease_armed = usec;
}

/* Evicts whoever owes for too long, and sleeps until the next one could. */
static int on_lease(sd_event_source *s, uint64_t usec, void *userdata)
{
    struct manager *manager = userdata;
    uint64_t earliest = UINT64_MAX;
    uint64_t now;
    struct session *next;

    (void)s;
    (void)usec;
    manager->lease_armed = UINT64_MAX;
    subscribers_work(manager); /* who has acknowledged just now, owes less */
    now = clock_usec();
    for (struct session *session = manager->sessions->first; session; session = next) {
        uint64_t deadline = session->waiting_usec + session->lease_usec;

        next = session->next;
        if (session->waiting_usec == 0) {
            continue;
        }
        if (deadline > now) {
            earliest = deadline < earliest ? deadline : earliest;
            continue;
        }
        if (!session_is_away(session)) {
            count_eviction(manager, session->identity.uid);
        }
        sessions_drop(session, SESSION_EVICTED);
    }
    if (earliest < UINT64_MAX) {
        arm(manager, earliest);
    }
    return 0;
}

int lease_open(struct manager *manager)
{
    int r = sd_event_add_time_relative(manager->event, &manager->lease_source, CLOCK_MONOTONIC, 0,
                                       1, on_lease, manager);

    manager->lease_armed = UINT64_MAX;
    return r < 0 ? r : sd_event_source_set_enabled(manager->lease_source, SD_EVENT_OFF);
}

void lease_begin(struct manager *manager, struct session *session, uint64_t now)
{
    session->waiting_usec = now;
    if (now + session->lease_usec < manager->lease_armed) {
        arm(manager, now + session->lease_usec);
    }
}

void lease_reconsider(struct manager *manager)
{
    for (struct session *session = manager->sessions->first; session; session = session->next) {
        session->lease_usec = lease_usec(manager, session->identity.uid);
    }
    if (manager->lease_armed != UINT64_MAX) {
        arm(manager, clock_usec());
    }
}
