/* SPDX-License-Identifier: MIT */
#include "daemon/statefile.h"
#include "base/shortage.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The head of a state, the caller's to free, without mapping the file; NULL if it is none. Where it
 * cannot be read, nobody can tell whether it is one.
 */
static int head_read(int fd, struct state_file **ret)
{
    CLEANUP(free_cleanup) struct state_file *file = malloc(sizeof(*file));
    ssize_t length = file ? pread(fd, file, sizeof(*file), 0) : -1;

    if (length < 0) {
        return file ? -errno : -ENOMEM;
    }
    *ret = length == (ssize_t)sizeof(*file) && file->magic == STATE_MAGIC &&
                   file->version == STATE_VERSION
               ? take(file)
               : NULL;
    return 0;
}

int statefile_belongs_to(int fd, const char *conf_path)
{
    CLEANUP(free_cleanup) struct state_file *file = NULL;
    int r = head_read(fd, &file);

    return r < 0 ? r : file && strncmp(file->conf_path, conf_path, sizeof(file->conf_path)) == 0;
}

int statefile_boot(sd_id128_t *ret)
{
    int r = sd_id128_get_boot(ret);

    if (is_shortage(r)) {
        return r;
    }
    if (r < 0) {
        *ret = SD_ID128_NULL; /* under ProcSubset=pid; /run is empty after a boot anyway */
    }
    return 0;
}

int statefile_is_sound(int fd)
{
    CLEANUP(free_cleanup) struct state_file *file = NULL;
    sd_id128_t boot;
    struct stat st;
    int r = fstat(fd, &st) < 0 ? -errno : head_read(fd, &file);

    if (r == 0) {
        r = statefile_boot(&boot);
    }
    if (r < 0) {
        return r;
    }
    return file && sd_id128_equal(file->boot, boot) && !sd_id128_is_null(file->epoch) &&
           file->image_size >= STATE_IMAGE_MIN && (uint64_t)st.st_size >= STATE_IMAGE_OFFSET &&
           file->image_size <= (uint64_t)st.st_size - STATE_IMAGE_OFFSET &&
           file->record_length < file->image_size && file->extent >= STATE_IMAGE_MIN &&
           file->extent <= file->image_size && state_phase(file) <= PHASE_PUBLISHED &&
           acklog_valid(&file->acklog) && memchr(file->conf_path, '\0', sizeof(file->conf_path));
}
