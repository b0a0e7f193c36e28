/* SPDX-License-Identifier: MIT */
#include "daemon/outbox.h"
#include "base/patient.h"
#include "base/shortage.h"
#include "base/step.h"
#include "daemon/journal.h"

#include <errno.h>
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
        (void)patient_write(STDERR_FILENO, outbox->line, outbox->length, NULL);
    } else {
        r = journal_send(entry->fields, entry->count, &outbox->note);
    }
    STEP("outbox.sent");
    return r;
}

/* An error of reading: where the file cannot be looked at for good, the line counts as not there.
 */
static int unknown(int error)
{
    return is_shortage(error) ? error : 0;
}

/* Is the line in the file? It is still our standard error, then. 1: it is; 0: no. */
static int line_is_there(const struct outbox *outbox)
{
    CLEANUP(fd_close_cleanup) int fd = open("/proc/self/fd/2", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    CLEANUP(free_cleanup) char *text = NULL;
    struct stat st;
    ssize_t length;

    if (fd < 0 || fstat(fd, &st) < 0) {
        return unknown(-errno);
    }
    if (st.st_dev != outbox->device || st.st_ino != outbox->inode) {
        return 0;
    }
    text = malloc(ENTRY_LINE_MAX + OTHERS_MAX);
    if (!text) {
        return -ENOMEM;
    }
    length = pread(fd, text, ENTRY_LINE_MAX + OTHERS_MAX, (off_t)outbox->place);
    return length < 0 ? unknown(-errno)
                      : memmem(text, (size_t)length, outbox->line, outbox->length) != NULL;
}

int outbox_has_sent(const struct outbox *outbox, uint64_t sequence)
{
    bool written = outbox->inode != 0 && outbox->length > 0 && outbox->length <= ENTRY_LINE_MAX;

    if (outbox->sequence != sequence) {
        return 0;
    }
    return outbox->note.msg_len > 0 ? 1 : written ? line_is_there(outbox) : 0;
}

int outbox_settle(const struct outbox *outbox, struct acklog *acklog)
{
    int sent = acklog_waiting(acklog) > 0 ? outbox_has_sent(outbox, acklog->tail + 1) : 0;

    if (sent > 0) {
        acklog_pop(acklog);
    }
    return sent < 0 ? sent : 0;
}
