/* SPDX-License-Identifier: MIT */
#include "daemon/transfer.h"
#include "base/step.h"
#include "proto/message.h"

#include <stdbool.h>

void transfer_note(struct transfer *transfer, const struct transfer *about)
{
    /* Half a note is none. The fences pair with our own death only. */
    __atomic_store_n(&transfer->noted, false, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    transfer->record = about->record;
    transfer->own = about->own;
    transfer->position = about->position;
    transfer->rejected = about->rejected;
    transfer->session = about->session;
    __atomic_store_n(&transfer->noted, true, __ATOMIC_RELEASE);
    STEP("transfer.noted");
}

void transfer_done(const struct transfer *transfer, struct cursor *cursor)
{
    STEP("transfer.done");
    cursor->rejected = transfer->rejected;
    cursor->position = transfer->position;
    /* Release: pairs with our own death only; what it covers is there when it counts. */
    __atomic_store_n(&cursor->published, transfer->own, __ATOMIC_RELEASE);
    STEP("transfer.counted");
}

void transfer_settle(struct transfer *transfer, struct cursors *cursors, uint64_t newest)
{
    for (size_t i = 0; i < CURSORS_MAX && transfer->noted && transfer->record <= newest; i++) {
        struct cursor *cursor = &cursors->all[i];

        if (cursor->session == transfer->session && cursor->role == MESSAGE_PUBLISHER &&
            cursor->published < transfer->own) {
            transfer_done(transfer, cursor);
        }
    }
    /* Its number may be given to a record of somebody else. */
    __atomic_store_n(&transfer->noted, false, __ATOMIC_RELEASE);
}
