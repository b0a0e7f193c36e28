/* SPDX-License-Identifier: MIT */
#include "client/journalfile.h"

#include "base/cleanup.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of the header, and where in it stands what; each is 64 bits long. */
#define HEADER_SIZE      ((size_t)208)
#define HEADER_SIZE_AT   88
#define ARENA_SIZE_AT    96
#define LAST_OBJECT_AT   136
#define OBJECT_COUNT_AT  144
#define ENTRY_COUNT_AT   152
#define OBJECT_HEAD_SIZE ((size_t)16) /* a type, which is never 0, … */
#define OBJECT_SIZE_AT   8            /* … and its size in all; the next one is aligned */
#define OBJECT_ALIGNMENT UINT64_C(8)

/* A part of the file, read at once. */
struct window {
    int fd;
    uint64_t start;
    size_t length;
    unsigned char bytes[1 << 16];
};

static uint64_t number_at(const unsigned char *bytes)
{
    uint64_t number;

    memcpy(&number, bytes, sizeof(number));
    return le64toh(number);
}

/* NULL: there are not so many bytes. */
static const unsigned char *look_at(struct window *window, uint64_t offset, size_t length)
{
    if (offset < window->start || offset + length > window->start + window->length) {
        ssize_t n = pread(window->fd, window->bytes, sizeof(window->bytes), (off_t)offset);

        window->start = offset;
        window->length = n > 0 ? (size_t)n : 0;
    }
    return length <= window->start + window->length - offset
               ? window->bytes + (offset - window->start)
               : NULL;
}

/* Is there one object behind the other, from `offset` to the last one, all before `end`? */
static bool objects_are_sound(int fd, uint64_t offset, uint64_t last, uint64_t end, uint64_t count)
{
    struct window window = {.fd = fd};

    for (uint64_t found = 1; offset <= last && last < end; found++) {
        const unsigned char *head = look_at(&window, offset, OBJECT_HEAD_SIZE);
        uint64_t size = head ? number_at(head + OBJECT_SIZE_AT) : 0;

        if (!head || head[0] == 0 || size < OBJECT_HEAD_SIZE || size > end - offset) {
            return false;
        }
        if (offset == last) {
            return found >= count;
        }
        offset += (size + OBJECT_ALIGNMENT - 1) & ~(OBJECT_ALIGNMENT - 1);
    }
    return count == 0;
}

static bool entries_are_found(int fd, uint64_t count)
{
    CLEANUP(journal_close_cleanup) sd_journal *journal = NULL;
    uint64_t found = 0;

    if (sd_journal_open_files_fd(&journal, &fd, 1, 0) < 0 || sd_journal_seek_head(journal) < 0) {
        return false;
    }
    while (found < count && sd_journal_next(journal) > 0) {
        found++;
    }
    return found == count;
}

bool journalfile_is_sound(int fd)
{
    unsigned char header[HEADER_SIZE];
    uint64_t size, arena;
    struct stat st;

    if (fstat(fd, &st) < 0 || pread(fd, header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
        memcmp(header, "LPKSHHRH", 8) != 0) {
        return false;
    }
    size = number_at(header + HEADER_SIZE_AT);
    arena = number_at(header + ARENA_SIZE_AT);
    return size <= (uint64_t)st.st_size && arena <= (uint64_t)st.st_size - size &&
           objects_are_sound(fd, size, number_at(header + LAST_OBJECT_AT), size + arena,
                             number_at(header + OBJECT_COUNT_AT)) &&
           entries_are_found(fd, number_at(header + ENTRY_COUNT_AT));
}

bool journalfile_was_left_open(const char *path)
{
    size_t length = strlen(path);

    return length > 0 && path[length - 1] == '~';
}
