/* SPDX-License-Identifier: MIT */
#include "daemon/unread.h"
#include "base/clock.h"
#include "daemon/manager.h"
#include "daemon/report.h"

#define TELL_USEC USEC_PER_SEC /* between two entries */

void unread_reconsider(struct manager *manager)
{
    uint64_t first = UINT64_MAX;

    for (const struct session *session = manager->sessions->first; session;
         session = session->next) {
        if (session_is_owed(session) && session->first < first) {
            first = session->first;
        }
    }
    manager->unread.owed_from = first;
}

void unread_cover(struct manager *manager, const struct session *session)
{
    struct state_file *file = manager->state->file;

    if (session->first <= file->covered + 1 && session->acknowledged > file->covered) {
        file->covered = session->acknowledged;
    }
}

void unread_except(struct manager *manager, uint64_t number)
{
    unread_release(manager, number - 1);
    if (manager->state->file->covered < number) {
        manager->state->file->covered = number;
    }
}

void unread_tell(struct manager *manager)
{
    struct unread *unread = &manager->unread;

    if (unread->records > 0) {
        report_unread(manager, unread->first, unread->last, unread->records, NULL);
        unread->records = 0;
        unread->usec = clock_usec();
    }
}

void unread_release(struct manager *manager, uint64_t number)
{
    struct unread *unread = &manager->unread;
    struct state_file *file = manager->state->file;
    uint64_t first = file->covered + 1;
    uint64_t last = number < unread->owed_from ? number : unread->owed_from - 1;

    if (number <= file->covered) {
        return;
    }
    file->covered = number;
    if (last < first) {
        return;
    }
    unread->first = unread->records > 0 ? unread->first : first;
    unread->last = last;
    unread->records += last - first + 1;
    if (clock_usec() - unread->usec >= TELL_USEC) {
        unread_tell(manager);
    }
}

void unread_lose(struct manager *manager, const char *why)
{
    struct state_file *file = manager->state->file;
    uint64_t most = manager->segment.size / RING_LINE;
    uint64_t last = state_number(file);
    uint64_t first;

    for (const struct session *session = manager->sessions->first; session;
         session = session->next) {
        if (session_is_owed(session)) {
            unread_cover(manager, session);
        }
    }
    first = file->covered + 1;
    if (board_overwrites(&manager->board) && last >= most && first <= last - most) {
        first = last - most + 1;
    }
    if (first <= last) {
        report_unread(manager, first, last, last - first + 1, why);
        file->covered = last;
    }
}

void unread_leave(struct manager *manager)
{
    const struct source *source = manager->intake.feed.source;

    if (manager->segment.map && source && source->live && !board_overwrites(&manager->board)) {
        unread_release(manager, board_newest(&manager->board));
    }
    unread_tell(manager);
}
