/* SPDX-License-Identifier: MIT */
#include "daemon/unread.h"
#include "daemon/manager.h"

/* --- what is covered: each change counts with the store of one word --- */

static void store(uint64_t *word, uint64_t number)
{
    __atomic_store_n(word, number, __ATOMIC_RELEASE); /* pairs with our own death only */
}

/* The first stretch that has this record or a later one; NULL: there is none. */
static struct stretch *find_stretch(const struct state *state, uint64_t number)
{
    struct stretch *found = NULL;

    if (number > state->furthest) { /* as it nearly always is */
        return NULL;
    }
    for (size_t i = 0; i < STRETCHES_MAX; i++) {
        struct stretch *stretch = &state->file->stretches[i];

        if (stretch->last >= number && (!found || stretch->first < found->first)) {
            found = stretch;
        }
    }
    return found;
}

/* All up to this one. */
static void cover(const struct state *state, uint64_t number)
{
    struct state_file *file = state->file;
    const struct stretch *next;

    if (file->covered < number) {
        store(&file->covered, number);
    }
    while ((next = find_stretch(state, file->covered + 1)) && next->first <= file->covered + 1) {
        store(&file->covered, next->last);
    }
}

/* One of no meaning; or the first one: what it knew may be told, although it was acknowledged. */
static struct stretch *find_free(const struct state *state)
{
    struct state_file *file = state->file;

    for (size_t i = 0; i < STRETCHES_MAX; i++) {
        if (file->stretches[i].last <= file->covered) {
            return &file->stretches[i];
        }
    }
    return find_stretch(state, file->covered + 1);
}

static void cover_stretch(struct state *state, uint64_t first, uint64_t last)
{
    struct state_file *file = state->file;
    struct stretch *stretch;

    state->furthest = last > state->furthest ? last : state->furthest;
    for (size_t i = 0; i < STRETCHES_MAX; i++) {
        stretch = &file->stretches[i];
        if (stretch->last > file->covered && first <= stretch->last + 1 &&
            stretch->first <= last + 1) {
            store(&stretch->first, first < stretch->first ? first : stretch->first);
            store(&stretch->last, last > stretch->last ? last : stretch->last);
            return;
        }
    }
    stretch = find_free(state);
    store(&stretch->last, 0);
    store(&stretch->first, first);
    store(&stretch->last, last);
}

void unread_forget(struct manager *manager, uint64_t first, uint64_t last)
{
    struct state *state = manager->state;

    if (first <= state->file->covered + 1) {
        cover(state, last);
    } else if (first <= last) {
        cover_stretch(state, first, last);
    }
}

/* --- what is let go --- */

/* The log has them before they count: killed in between, the next daemon finds them there. */
static void let_go(struct manager *manager, uint64_t number, enum unread_why why)
{
    const struct state *state = manager->state;
    const struct state_file *file = state->file;
    uint64_t last = number < manager->owed_from ? number : manager->owed_from - 1;
    uint64_t first = file->covered + 1;

    if (number <= file->covered) {
        return;
    }
    while (first <= last) {
        const struct stretch *next = find_stretch(state, first);
        uint64_t end = next && next->first <= last ? next->first - 1 : last;

        if (first <= end) {
            log_let_go(manager->log, first, end, why);
        }
        first = next && end < last ? next->last + 1 : last + 1;
    }
    cover(state, number);
}

void unread_reconsider(struct manager *manager)
{
    const struct state_file *file = manager->state->file;
    uint64_t first = UINT64_MAX;

    for (const struct session *session = manager->sessions->first; session;
         session = session->next) {
        if (session_is_owed(session) && session->first < first) {
            first = session->first;
        }
    }
    manager->owed_from = first;
    let_go(manager, file->gone < first ? file->gone : first - 1, (enum unread_why)file->gone_why);
}

void unread_cover(struct manager *manager, const struct session *session)
{
    unread_forget(manager, session->first, session->acknowledged);
}

void unread_release(struct manager *manager, uint64_t number)
{
    let_go(manager, number, UNREAD_LEFT_BEHIND);
}

void unread_outdate(struct manager *manager, uint64_t number)
{
    let_go(manager, number, UNREAD_OUTDATED);
}

void unread_except(struct manager *manager, uint64_t number)
{
    unread_release(manager, number - 1);
    unread_forget(manager, number, number);
}

void unread_leave(struct manager *manager)
{
    uint64_t live = manager->state->file->live;

    if (manager->segment.map && !board_overwrites(&manager->board)) {
        unread_release(manager,
                       live < board_newest(&manager->board) ? live : board_newest(&manager->board));
    }
}
