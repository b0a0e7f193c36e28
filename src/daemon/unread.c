/* SPDX-License-Identifier: MIT */
#include "daemon/unread.h"
#include "daemon/manager.h"

/* The log has them before they count: killed in between, the next daemon finds them there. */
static void let_go(struct manager *manager, uint64_t number, enum unread_why why)
{
    struct state_file *file = manager->state->file;
    uint64_t first = file->covered + 1;
    uint64_t last = number < manager->owed_from ? number : manager->owed_from - 1;

    if (number <= file->covered) {
        return;
    }
    if (first <= last) {
        log_let_go(manager->log, first, last, why);
    }
    unread_forget(manager, number);
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
    if (session->first <= manager->state->file->covered + 1) {
        unread_forget(manager, session->acknowledged);
    }
}

void unread_release(struct manager *manager, uint64_t number)
{
    let_go(manager, number, UNREAD_LEFT_BEHIND);
}

void unread_except(struct manager *manager, uint64_t number)
{
    unread_release(manager, number - 1);
    unread_forget(manager, number);
}

void unread_forget(struct manager *manager, uint64_t number)
{
    struct state_file *file = manager->state->file;

    if (file->covered < number) {
        /* Release: pairs with our own death only; the log has what is let go. */
        __atomic_store_n(&file->covered, number, __ATOMIC_RELEASE);
    }
}

void unread_leave(struct manager *manager)
{
    uint64_t live = manager->state->file->live;

    if (manager->segment.map && !board_overwrites(&manager->board)) {
        unread_release(manager,
                       live < board_newest(&manager->board) ? live : board_newest(&manager->board));
    }
}
