/* SPDX-License-Identifier: MIT */
#include "client/ranges.h"

#include <errno.h>
#include <search.h>

struct session {
    uint64_t number;
    uint64_t uid;
    bool started; /* `first` is known, … */
    bool ended;   /* … and `last` */
    uint64_t first;
    uint64_t last;
    uint64_t ended_usec;
    struct intervals seen;
};

/* What entries cover that speak of several sessions, of one user or of several. */
struct cover {
    struct cover *next;
    enum who who;
    uint64_t uid;
    struct intervals seen;
};

struct ranges {
    struct judge *judge;
    const struct epoch *epoch;
    void *sessions;           /* a tree, see tsearch(3), of those that are not settled */
    struct intervals settled; /* numbers of sessions that have ended, with nothing missing */
    struct cover *covers;
};

static int compare(const void *a, const void *b)
{
    const struct session *left = a, *right = b;

    return left->number < right->number ? -1 : left->number > right->number;
}

static void session_free(void *object)
{
    struct session *session = object;

    intervals_free(&session->seen);
    free(session);
}

/* NULL: there is none that is not settled. */
static struct session *session_find(const struct ranges *ranges, uint64_t number)
{
    struct session **found = tfind(&(struct session){.number = number}, &ranges->sessions, compare);

    return found ? *found : NULL;
}

static bool is_settled(const struct ranges *ranges, uint64_t number)
{
    struct interval gap;

    return !intervals_gap(&ranges->settled, number, number, &gap);
}

/* 0 with *ret; 1 if it is settled; -ENOMEM. */
static int session_get(struct ranges *ranges, uint64_t number, uint64_t uid, struct session **ret)
{
    struct session *session = session_find(ranges, number);
    struct user *user;

    if (session) {
        *ret = session;
        return 0;
    }
    if (is_settled(ranges, number)) {
        return 1;
    }
    user = judge_user(ranges->judge, WHO_USER, uid);
    session = calloc(1, sizeof(*session));
    if (!session || !user) {
        free(session);
        return -ENOMEM;
    }
    session->number = number;
    session->uid = uid;
    if (!tsearch(session, &ranges->sessions, compare)) {
        free(session);
        return -ENOMEM;
    }
    user->sessions++;
    *ret = session;
    return 0;
}

/* Forgets a session of which everything is known and right. -ENOMEM. */
static int session_settle(struct ranges *ranges, struct session *session)
{
    const struct intervals *seen = &session->seen;
    int r;

    if (!session->ended || (!session->started && seen->count == 0) || seen->count > 1) {
        return 0;
    }
    if (seen->count == 0 ? session->last != session->first - 1
                         : seen->items[0].last != session->last ||
                               (session->started && seen->items[0].first != session->first)) {
        return 0;
    }
    r = intervals_add(&ranges->settled, session->number, session->number);
    if (r < 0) {
        return r;
    }
    (void)tdelete(session, &ranges->sessions, compare);
    session_free(session);
    return 0;
}

static void tell(const struct ranges *ranges, enum fault_kind kind, uint64_t session,
                 uint64_t first, uint64_t last)
{
    judge_fault(
        ranges->judge, kind,
        &(struct fault){.epoch = ranges->epoch, .session = session, .range = {first, last}});
}

static int cover_add(struct ranges *ranges, const struct acknowledgement *ack)
{
    struct cover **place = &ranges->covers;
    int r;

    while (*place && ((*place)->who != ack->who || (*place)->uid != ack->uid)) {
        place = &(*place)->next;
    }
    if (!*place) {
        *place = calloc(1, sizeof(**place));
        if (!*place) {
            return -ENOMEM;
        }
        (*place)->who = ack->who;
        (*place)->uid = ack->uid;
    }
    r = intervals_add(&(*place)->seen, ack->first, ack->last);
    return r < 0 ? r : 0;
}

int ranges_acknowledged(struct ranges *ranges, const struct acknowledgement *ack)
{
    struct session *session = NULL;
    int r;

    if (ack->who == WHO_ANONYMOUS) {
        return 0;
    }
    if (!ack->has_session) {
        return cover_add(ranges, ack);
    }
    r = session_get(ranges, ack->session, ack->uid, &session);
    if (r == 0) {
        r = intervals_add(&session->seen, ack->first, ack->last);
    }
    if (r < 0) {
        return r;
    }
    if (r > 0) {
        tell(ranges, FAULT_OVERLAP, ack->session, ack->first, ack->last);
    }
    return session ? session_settle(ranges, session) : 0;
}

/* 0 with *ret, 1 if there is nothing to note, -ENOMEM. */
static int session_named(struct ranges *ranges, const struct claim *claim, struct session **ret)
{
    uint64_t number, uid;

    if (!claim_number(claim, CLAIM_SESSION, &number) ||
        !claim_number(claim, CLAIM_CLIENT_UID, &uid)) {
        return 1;
    }
    return session_get(ranges, number, uid, ret);
}

/* All up to `last` was acknowledged. */
static int session_end(struct ranges *ranges, struct session *session, uint64_t last, uint64_t usec)
{
    session->ended = true;
    session->last = last;
    session->ended_usec = usec;
    return session_settle(ranges, session);
}

int ranges_started(struct ranges *ranges, const struct claim *claim)
{
    struct session *session, *before;
    uint64_t resumes;
    int r = session_named(ranges, claim, &session);

    if (r != 0) {
        return r < 0 ? r : 0;
    }
    if (!claim_number(claim, CLAIM_FIRST, &session->first) || session->first == 0) {
        return 0;
    }
    session->started = true;
    before = claim_number(claim, CLAIM_RESUMES, &resumes) ? session_find(ranges, resumes) : NULL;
    if (before && before != session) {
        r = session_end(ranges, before, session->first - 1, claim->usec);
    }
    return r < 0 ? r : session_settle(ranges, session);
}

int ranges_ended(struct ranges *ranges, const struct claim *claim)
{
    struct session *session;
    uint64_t last;
    int r;

    /* One that was refused before it subscribed has acknowledged nothing. */
    if (!claim_number(claim, CLAIM_LAST, &last)) {
        return 0;
    }
    r = session_named(ranges, claim, &session);
    if (r != 0) {
        return r < 0 ? r : 0;
    }
    return session_end(ranges, session, last, claim->usec);
}

/* --- the end --- */

static bool speaks_of(const struct cover *cover, const struct session *session)
{
    return cover->who == WHO_SEVERAL || cover->uid == session->uid;
}

/* Tells of what this cover and those behind it leave of a range that the session has not seen. */
static void holes_tell(const struct ranges *ranges, const struct session *session,
                       const struct cover *cover, struct interval range)
{
    uint64_t next = range.first;
    struct interval gap;

    while (cover && !speaks_of(cover, session)) {
        cover = cover->next;
    }
    if (!cover) {
        tell(ranges, FAULT_HOLE, session->number, range.first, range.last);
        return;
    }
    while (intervals_gap(&cover->seen, next, range.last, &gap)) {
        holes_tell(ranges, session, cover->next, gap);
        if (gap.last == range.last) {
            return;
        }
        next = gap.last + 1;
    }
}

static void holes_find(const struct ranges *ranges, const struct session *session, uint64_t first,
                       uint64_t last)
{
    struct interval gap;

    while (first <= last && intervals_gap(&session->seen, first, last, &gap)) {
        holes_tell(ranges, session, ranges->covers, gap);
        if (gap.last == last) {
            return;
        }
        first = gap.last + 1;
    }
}

/* Have all acknowledgements come that lead to the session's end? */
static bool session_has_settled(const struct ranges *ranges, const struct session *session)
{
    const struct judge *judge = ranges->judge;

    return session->ended && (judge->as_of_usec >= SETTLE_USEC + session->ended_usec ||
                              session->ended_usec > judge->read_usec);
}

static void session_judge(const struct ranges *ranges, const struct session *session)
{
    const struct intervals *seen = &session->seen;
    bool settled = session_has_settled(ranges, session);
    struct interval known = {session->first, session->last};

    if (seen->count == 0) {
        if (session->started && settled) {
            holes_find(ranges, session, known.first, known.last);
        }
        return;
    }
    known = (struct interval){seen->items[0].first, seen->items[seen->count - 1].last};
    if (session->started && known.first < session->first) {
        tell(ranges, FAULT_OVERLAP, session->number, known.first, session->first - 1);
    }
    if (session->ended && known.last > session->last) {
        tell(ranges, FAULT_OVERLAP, session->number, session->last + 1, known.last);
    }
    holes_find(ranges, session, session->started ? session->first : known.first,
               settled && session->last > known.last ? session->last : known.last);
}

static void visit(const void *node, VISIT order, void *userdata)
{
    if (order == postorder || order == leaf) {
        session_judge(userdata, *(struct session *const *)node);
    }
}

void ranges_finish(struct ranges *ranges)
{
    twalk_r(ranges->sessions, visit, ranges);
}

int ranges_new(struct judge *judge, const struct epoch *epoch, struct ranges **ret)
{
    struct ranges *ranges = calloc(1, sizeof(*ranges));

    if (!ranges) {
        return -ENOMEM;
    }
    ranges->judge = judge;
    ranges->epoch = epoch;
    *ret = ranges;
    return 0;
}

struct ranges *ranges_free(struct ranges *ranges)
{
    if (!ranges) {
        return NULL;
    }
    tdestroy(ranges->sessions, session_free);
    intervals_free(&ranges->settled);
    while (ranges->covers) {
        struct cover *cover = ranges->covers;

        ranges->covers = cover->next;
        intervals_free(&cover->seen);
        free(cover);
    }
    free(ranges);
    return NULL;
}
