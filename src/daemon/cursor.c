/* SPDX-License-Identifier: MIT */
#include "daemon/cursor.h"

struct cursor *cursors_find_free(struct cursors *cursors)
{
    for (size_t i = 0; i < CURSORS_MAX; i++) {
        if (cursors->all[i].session == 0) {
            return &cursors->all[i];
        }
    }
    return NULL;
}

void cursor_claim(struct cursor *cursor, uint32_t session)
{
    /* Release: what it says is there when it counts. It pairs with our own death only. */
    __atomic_store_n(&cursor->session, session, __ATOMIC_RELEASE);
}

void cursor_release(struct cursor *cursor)
{
    __atomic_store_n(&cursor->session, 0, __ATOMIC_RELEASE);
}

void cursors_settle(struct cursors *cursors, const struct acklog *acklog)
{
    const struct ack *newest = acklog_newest(acklog);

    for (size_t i = 0; newest && newest->session && i < CURSORS_MAX; i++) {
        struct cursor *cursor = &cursors->all[i];

        if (cursor->session == newest->session && cursor->logged < newest->record_last) {
            cursor->lost = newest->lost;
            cursor->logged = newest->record_last;
        }
    }
}
