/* SPDX-License-Identifier: MIT */
#include "daemon/publishers.h"
#include "base/step.h"
#include "daemon/report.h"

#include <errno.h>
#include <string.h>

#define TURN_RECORDS 16 /* of one publisher, while others have some, too */
#define UNTOLD       (~UINT64_C(0))

bool publishers_left_something(const struct session *session)
{
    struct ring_reader queue = session->queue;
    const char *bytes;
    size_t length, left_out;

    return session_publishes(session) &&
           queue_look(&queue, &bytes, &length, &left_out) != QUEUE_EMPTY;
}

/*
 * Where the kernel does not number processes, it may be another one that has the pid now: then what
 * the first has left is not its to hand in anew.
 */
static bool has_doubtful_heritage(const struct manager *manager, const struct session *session,
                                  uint32_t client)
{
    for (const struct session *old = manager->sessions->first; old; old = old->next) {
        if (old != session && publishers_left_something(old) && old->cursor->client == client &&
            identity_may_be(&old->identity, &session->identity) &&
            !identity_is(&old->identity, &session->identity)) {
            return true;
        }
    }
    return false;
}

int publishers_hello(struct manager *manager, struct session *session, struct session *old,
                     const struct message_hello *hello)
{
    if (!feed_is_push(manager->conf)) {
        return -EOPNOTSUPP;
    }
    if (old && has_doubtful_heritage(manager, session, hello->client)) {
        return -EAGAIN;
    }
    session->first = (old ? old->acknowledged : hello->after) + 1;
    session->resumes = old ? old->id : 0;
    return session_equip_queue(session, board_longest(&manager->board),
                               manager->state->file->epoch.bytes);
}

void publishers_welcome(struct session *session, struct message_welcome *welcome)
{
    welcome->segment_size = session->queue_size;
    welcome->position = session->longest;
    session->told = session->first - 1;
    atomic_store_explicit(&session->page->published, session->told,
                          memory_order_relaxed); /* the message is later */
}

void publishers_receive(struct session *session)
{
    session->cursor->lease = (struct lease){0};
    session->cursor->left = 0;
    session->told = UNTOLD; /* it may not know how far we had come */
    if (session->socket < 0) {
        session_end_queue(session);
    }
}

/* --- going --- */

static bool is_at_its_end(const struct session *session)
{
    return session->queue_end > 0 && ring_position(&session->queue) >= session->queue_end;
}

/* Passes over what it has handed in: so many records are dealt with no more. */
static uint64_t drain(struct session *session)
{
    const char *bytes;
    size_t length, left_out;
    uint64_t records = 0;

    session_end_queue(session);
    while (!is_at_its_end(session) &&
           queue_look(&session->queue, &bytes, &length, &left_out) == QUEUE_RECORD) {
        ring_advance(&session->queue, length);
        records++;
    }
    return records;
}

void publishers_leave(struct session *session)
{
    session->cursor->left = 1 + drain(session);
}

void publishers_end(struct session *session, bool goes_on)
{
    uint64_t left = session->page               ? drain(session)
                    : session->cursor->left > 0 ? session->cursor->left - 1
                                                : 0;

    *(goes_on ? &session->unpublished : &session->given_up) += left;
}

void publishers_forget(struct manager *manager, const struct session *session)
{
    if (manager->turn.publisher == session) {
        manager->turn.publisher = NULL;
    }
    if (manager->turn.collected == session) {
        manager->turn.collected = NULL;
    }
}

/* --- records --- */

/* It is not published: what a note says of it, its number above all, holds nevertheless. */
static void reject(struct manager *manager, struct session *session, const char *objection,
                   size_t length, const char *bytes, size_t shown)
{
    session->lost++;
    publishers_note(manager);
    intake_show_added(manager);
    manager->state->file->rejected++;
    report_rejected(manager, session, objection, length, bytes, shown);
    publishers_count(manager);
}

/* Deals with the next record of a publisher; true if it was added, *due: that is to be shown. */
static inline bool collect(struct manager *manager, struct session *session, bool *due)
{
    struct board *board = &manager->board;
    const char *bytes, *objection;
    size_t length, left_out, shown;
    char *place;

    switch (queue_look(&session->queue, &bytes, &length, &left_out)) {
    case QUEUE_EMPTY:
        return false;
    case QUEUE_BROKEN:
        session->broken = true;
        return false;
    case QUEUE_RECORD:
        break;
    }
    if (manager->turn.collected != session) {
        intake_show(manager); /* a note is about one publisher's records */
    }
    intake_make_way(manager, length);
    shown = length;
    place = board_place(board, &shown);
    memcpy(place, bytes, shown);
    objection = left_out > 0 ? "it does not fit any more"
                             : board_objection(board, place, length); /* of our copy */
    session->acknowledged = session->queue.number;
    ring_advance(&session->queue, length);
    manager->turn.collected = session;
    if (objection) {
        reject(manager, session, objection, left_out > 0 ? left_out : length, place, shown);
        return false;
    }
    *due = board_add(board, length);
    return true;
}

/*
 * Adds the next records of a publisher, up to what is shown together. True if there were any.
 * flatten: see stream.h.
 */
__attribute__((flatten)) static bool collect_group(struct manager *manager, struct session *session)
{
    struct turn *turn = &manager->turn;
    unsigned before = turn->left;
    bool due = false;

    while (turn->left > 0 && !due && collect(manager, session, &due)) {
        turn->left--;
    }
    if (turn->left == before) {
        return false;
    }
    intake_note(manager, due);
    return true;
}

void publishers_note(struct manager *manager)
{
    const struct session *session = manager->turn.collected;

    transfer_note(&manager->state->file->transfer, &(struct transfer){
                                                       .record = board_added(&manager->board),
                                                       .own = session->acknowledged,
                                                       .position = ring_position(&session->queue),
                                                       .rejected = session->lost,
                                                       .session = session->id,
                                                   });
}

void publishers_count(struct manager *manager)
{
    transfer_done(&manager->state->file->transfer, manager->turn.collected->cursor);
    manager->turn.collected = NULL;
}

bool publishers_collect(struct manager *manager)
{
    struct turn *turn = &manager->turn;

    for (size_t i = 0; i <= manager->sessions->count; i++) {
        struct session *session = turn->publisher;

        if (session && session_publishes(session) && !session->broken && !is_at_its_end(session) &&
            collect_group(manager, session)) {
            return true;
        }
        turn->publisher =
            session && session_is_lively(session->next) ? session->next : manager->sessions->first;
        turn->left = TURN_RECORDS;
    }
    return false;
}

bool publishers_wait(const struct manager *manager)
{
    const struct session *session = manager->sessions->first;

    while (session_is_lively(session) &&
           (!session_publishes(session) || ring_is_blank(&session->queue))) {
        session = session->next;
    }
    return session_is_lively(session) && intake_collects(manager);
}

/* --- what publishers are told --- */

static bool confirm(struct session *session)
{
    if (session->told == session->acknowledged) {
        return false;
    }
    session->told = session->acknowledged;
    atomic_store_explicit(&session->page->rejected, session->lost, memory_order_relaxed);
    /* Release: pairs with the publisher's look(); the records are published, rejected is known. */
    atomic_store_explicit(&session->page->published, session->told, memory_order_release);
    STEP("publisher.published");
    /* Release: pairs with the same; that they are confirmed is known. */
    atomic_store_explicit(&session->page->position, ring_position(&session->queue),
                          memory_order_release);
    STEP("publisher.confirmed");
    if (session->socket >= 0) {
        session_notify(session);
    }
    return true;
}

/* Is nothing left of what it has handed in, or nobody to whom it could go? */
static bool is_done(struct manager *manager, struct session *session)
{
    const char *bytes;
    size_t length, left_out;

    if (intake_collects(manager)) {
        return is_at_its_end(session) ||
               queue_look(&session->queue, &bytes, &length, &left_out) != QUEUE_RECORD;
    }
    session->given_up += drain(session);
    return true;
}

/* Has it to connect again, to learn what is different? */
static bool is_outdated(const struct manager *manager, const struct session *session)
{
    return !feed_is_push(manager->conf) || session->cursor->segment_id != manager->segment.id;
}

bool publishers_work(struct manager *manager)
{
    struct session *next;
    bool worked = false;

    for (struct session *session = manager->sessions->first; session_is_lively(session);
         session = next) {
        next = session->next;
        if (!session_publishes(session)) {
            continue;
        }
        worked |= confirm(session);
        if (!session->closing && is_outdated(manager, session)) {
            session->closing = true;
            session_end_queue(session);
            session_end(session, PAGE_CLOSING);
            session_wake(session);
        }
        if (session->broken) {
            sessions_drop(session, SESSION_BROKEN);
            worked = true;
        } else if ((session->closing || session->socket < 0) && is_done(manager, session)) {
            sessions_drop(session, session->socket < 0 ? SESSION_LEFT : SESSION_DISMISSED);
            worked = true;
        }
    }
    return worked;
}
