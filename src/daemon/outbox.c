/* SPDX-License-Identifier: MIT */
#include "daemon/outbox.h"
#include "base/step.h"
#include "daemon/journal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHERS_MAX 65536 /* bytes that others may have written before our line, at once */

/* Where the next line goes, if standard error is a file. */
static void note_place(struct outbox *outbox)
{
    struct stat st;

    outbox->inode = 0;
    if (fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode)) {
        bool appends = fcntl(STDERR_FILENO, F_GETFL) & O_APPEND;

        outbox->device = st.st_dev;
        outbox->inode = st.st_ino;
        outbox->place = (uint64_t)(appends ? st.st_size : lseek(STDERR_FILENO, 0, SEEK_CUR));
    }
}

int outbox_send(struct outbox *outbox, const struct entry *entry, uint64_t sequence, enum sink sink)
{
    int r = 0;

    /* Release, twice: nothing that was noted of another entry is ever taken for this one. */
    __atomic_store_n(&outbox->sequence, 0, __ATOMIC_RELEASE);
    outbox->note = (struct mmsghdr){0};
    outbox->length = 0;
    if (sink == SINK_STDERR) {
        outbox->length = entry_line(entry, outbox->line);
        note_place(outbox);
    }
    __atomic_store_n(&outbox->sequence, sequence, __ATOMIC_RELEASE);
    STEP("outbox.filled");
    if (sink == SINK_STDERR) {
        /* One write: lines of several processes do not mix. */
        (void)!write(STDERR_FILENO, outbox->line, outbox->length);
    } else {
        r = journal_send(entry->fields, entry->count, &outbox->note);
    }
    STEP("outbox.sent");
    return r;
}

/* Is the line in the file? It is still our standard error, then. */
static bool line_is_there(const struct outbox *outbox)
{
    CLEANUP(fd_close_cleanup) int fd = open("/proc/self/fd/2", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    CLEANUP(free_cleanup) char *text = malloc(ENTRY_LINE_MAX + OTHERS_MAX);
    struct stat st;
    ssize_t length;

    if (fd < 0 || !text || fstat(fd, &st) < 0 || st.st_dev != outbox->device ||
        st.st_ino != outbox->inode) {
        return false;
    }
    length = pread(fd, text, ENTRY_LINE_MAX + OTHERS_MAX, (off_t)outbox->place);
    return length > 0 && memmem(text, (size_t)length, outbox->line, outbox->length);
}

void outbox_settle(const struct outbox *outbox, struct acklog *acklog)
{
    bool noted = outbox->note.msg_len > 0;
    bool written = outbox->inode != 0 && outbox->length > 0 && outbox->length <= ENTRY_LINE_MAX;

    if (outbox->sequence == acklog->tail + 1 && acklog_waiting(acklog) > 0 &&
        (noted || (written && line_is_there(outbox)))) {
        acklog_pop(acklog);
    }
}
