/* SPDX-License-Identifier: MIT */
#include "daemon/outbox.h"
#include "base/step.h"
#include "daemon/journal.h"

int outbox_send(struct outbox *outbox, const struct entry *entry, uint64_t sequence, enum sink sink)
{
    bool begun =
        sink == SINK_STDERR && outbox->sequence == sequence && line_is_begun(&outbox->line, entry);
    int r;

    if (!begun) {
        /* Release, twice: nothing that was noted of another entry is ever taken for this one. */
        __atomic_store_n(&outbox->sequence, 0, __ATOMIC_RELEASE);
        outbox->note = (struct mmsghdr){0};
        outbox->line.length = 0;
        if (sink == SINK_STDERR) {
            line_begin(&outbox->line, entry);
        }
        __atomic_store_n(&outbox->sequence, sequence, __ATOMIC_RELEASE);
    }
    if (!(sequence & OUTBOX_EVENT)) {
        STEP("outbox.filled");
    }
    r = sink == SINK_STDERR ? line_write(&outbox->line)
                            : journal_send(entry->fields, entry->count, &outbox->note);
    if (!(sequence & OUTBOX_EVENT)) {
        STEP("outbox.sent");
    }
    return r;
}

int outbox_has_sent(const struct outbox *outbox, uint64_t sequence)
{
    if (outbox->sequence != sequence) {
        return 0;
    }
    return outbox->note.msg_len > 0 ? 1 : line_is_there(&outbox->line);
}

int outbox_settle(const struct outbox *outbox, struct acklog *acklog)
{
    int sent = acklog_waiting(acklog) > 0 ? outbox_has_sent(outbox, acklog->tail + 1) : 0;

    if (sent > 0) {
        acklog_pop(acklog);
    }
    return sent < 0 ? sent : 0;
}
