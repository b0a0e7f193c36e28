/* SPDX-License-Identifier: MIT */
#include "daemon/line.h"
#include "base/patient.h"
#include "base/shortage.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHERS_MAX 65536 /* bytes that others may have written before our line, at once */

/* Where the next line goes, if standard error is a file. */
static void note_place(struct line *line)
{
    struct stat st;

    line->inode = 0;
    if (fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode)) {
        bool appends = fcntl(STDERR_FILENO, F_GETFL) & O_APPEND;

        line->device = st.st_dev;
        line->inode = st.st_ino;
        line->place = (uint64_t)(appends ? st.st_size : lseek(STDERR_FILENO, 0, SEEK_CUR));
    }
}

void line_begin(struct line *line, const struct entry *entry)
{
    line->written = 0;
    line->length = entry_line(entry, line->text);
    note_place(line);
}

bool line_is_begun(const struct line *line, const struct entry *entry)
{
    struct line anew;

    if (line->inode == 0 || line->written == 0 || line->written >= line->length) {
        return false;
    }
    line_begin(&anew, entry);
    return anew.length == line->length && memcmp(anew.text, line->text, anew.length) == 0 &&
           anew.device == line->device && anew.inode == line->inode &&
           anew.place == line->place + line->written; /* or else others have written there */
}

int line_write(struct line *line)
{
    size_t written = line->written;
    /* One write, if there is room for it: lines of several processes do not mix. */
    int r = patient_write_on(STDERR_FILENO, line->text, line->length, &written, NULL);

    line->written = written;
    return r;
}

/* An error of reading: where the file cannot be looked at for good, the line counts as not there.
 */
static int unknown(int error)
{
    return is_shortage(error) ? error : 0;
}

int line_is_there(const struct line *line)
{
    CLEANUP(fd_close_cleanup) int fd = -1;
    CLEANUP(free_cleanup) char *text = NULL;
    struct stat st;
    ssize_t length;

    if (line->inode == 0 || line->length == 0 || line->length > ENTRY_LINE_MAX) {
        return 0;
    }
    fd = open("/proc/self/fd/2", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0) {
        return unknown(-errno);
    }
    if (st.st_dev != line->device || st.st_ino != line->inode) {
        return 0; /* another standard error than then */
    }
    text = malloc(ENTRY_LINE_MAX + OTHERS_MAX);
    if (!text) {
        return -ENOMEM;
    }
    length = pread(fd, text, ENTRY_LINE_MAX + OTHERS_MAX, (off_t)line->place);
    return length < 0 ? unknown(-errno)
                      : memmem(text, (size_t)length, line->text, line->length) != NULL;
}
