/* SPDX-License-Identifier: MIT
 *
 * The configuration file: any bytes are refused with a message that names the file, or they are
 * taken; and what was taken survives being dumped and read again.
 */
#include "fuzz.h"

#include "conf/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* libconfig 1.5 forgets the string that it was in when the file turned out to be wrong. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig_yy\nleak:strbuf_append";
}

static int fd = -1; /* a file in memory */
static char path[64];

static int load(const void *bytes, size_t length, struct conf **ret)
{
    CLEANUP(free_cleanup) char *message = NULL;
    int r;

    if (fd < 0) {
        fd = memfd_create("conf", MFD_CLOEXEC);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    assert(ftruncate(fd, 0) == 0 && pwrite(fd, bytes, length, 0) == (ssize_t)length);
    r = conf_load(path, ret, &message);
    assert(r == 0 || r == -EINVAL || (r == -EFBIG && length > CONF_FILE_MAX));
    assert((r == 0) == (message == NULL));
    assert(r == 0 || strncmp(message, path, strlen(path)) == 0);
    return r;
}

static char *dump(const struct conf *conf, size_t *ret_length)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, ret_length);

    conf_dump(conf, file);
    (void)fclose(file);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    CLEANUP(conf_free_cleanup) struct conf *conf = NULL;
    CLEANUP(conf_free_cleanup) struct conf *again = NULL;
    CLEANUP(free_cleanup) char *first = NULL;
    CLEANUP(free_cleanup) char *second = NULL;
    size_t first_length, second_length;

    if (load(bytes, length, &conf) < 0) {
        assert(!conf);
        return 0;
    }
    first = dump(conf, &first_length);
    if (first_length > CONF_FILE_MAX) {
        return 0; /* with the help as comments, it need not fit any more */
    }
    assert(load(first, first_length, &again) == 0);
    second = dump(again, &second_length);
    assert(first_length == second_length && memcmp(first, second, first_length) == 0);
    assert(conf->uid == again->uid && conf->gid == again->gid);
    return 0;
}
