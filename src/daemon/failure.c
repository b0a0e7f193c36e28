/* SPDX-License-Identifier: MIT */
#include "daemon/failure.h"
#include "base/cleanup.h"
#include "base/shortage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define DENIED_MAX 256

int failure_status(int error)
{
    if (is_shortage(error)) {
        return EX_OSERR;
    }
    return error == -EACCES || error == -EPERM ? EX_NOPERM : EX_UNAVAILABLE;
}

char *describe_rival(uint32_t key, pid_t pid)
{
    char *text;
    int r = pid > 0
                ? asprintf(&text,
                           "another shmd (pid %d) serves key 0x%08" PRIx32
                           ": stop it, or choose another key",
                           (int)pid, key)
                : asprintf(&text,
                           "another shmd, which cannot be seen from here, serves key 0x%08" PRIx32
                           ": stop it, or choose another key",
                           key);

    return r < 0 ? NULL : text;
}

/* The key is held by a segment that is not ours to touch. */
static char *describe_foreign(const struct segment_spec *spec, const struct segment_stat *holder)
{
    char *text;
    int r;

    if (holder->size == 0) {
        r = asprintf(&text,
                     "key 0x%08" PRIx32 " is held by a segment that this user may not look at; it "
                     "is left alone. Choose another key, or see who owns it: ipcs -m",
                     spec->key);
    } else {
        r = asprintf(&text,
                     "key 0x%08" PRIx32 " is held by another user's segment %d: owner uid %u, "
                     "created by pid %d, %zu bytes, nattch %zu; it is left alone. If nobody needs "
                     "it, root may remove it: ipcrm -m %d; or choose another key",
                     spec->key, holder->id, (unsigned)holder->uid, (int)holder->creator_pid,
                     holder->size, holder->attached, holder->id);
    }
    return r < 0 ? NULL : text;
}

char *describe_failure(const struct segment_spec *spec, int error,
                       const struct segment_stat *holder)
{
    char *text;

    if (error == -EEXIST) {
        return describe_foreign(spec, holder);
    }
    return asprintf(&text, "no segment of %zu bytes with key 0x%08" PRIx32 ": %s: %s", spec->size,
                    spec->key, strerrorname_np(-error), segment_cause(error)) < 0
               ? NULL
               : text;
}

/* What is wrong with a path at which something is to be made. The next call of this thread
 * overwrites it. */
static const char *path_cause(int error)
{
    static _Thread_local char denied[DENIED_MAX];

    switch (-error) {
    case EACCES:
    case EPERM:
        (void)snprintf(denied, sizeof(denied), "%s: let it write there", error_text(error));
        return denied;
    case ENOENT:
        return "its directory is not there: make it";
    case ENOTDIR:
        return "something on the way there is no directory: make it one";
    case ELOOP:
        return "a symbolic link stands there or leads round in a circle: remove it";
    case EROFS:
        return "its file system is read-only: make it writable";
    case ENAMETOOLONG:
        return "the path is too long: choose a shorter one";
    default:
        return error_text(error);
    }
}

static const char *state_cause(int error)
{
    switch (-error) {
    case EPERM:
        return "it belongs to another user: give it back, or remove it";
    case EBUSY:
        return "another shmd has its own there: stop it";
    case EEXIST:
        return "one that another configuration's daemon left lies there: choose another key";
    case EISDIR:
        return "a directory has that name: remove it";
    case ENXIO:
        return "something that is no regular file has that name: remove it";
    case ENOSPC:
        return "its file system has no room for a copy of the segment: make room";
    case EFBIG:
        return "a copy of the segment is larger than its whole file system: choose a smaller size";
    default:
        return path_cause(error);
    }
}

char *describe_state_failure(const char *path, int error)
{
    char *text;

    return asprintf(&text, "no state in %s: %s", path ? path : "the runtime directory",
                    state_cause(error)) < 0
               ? NULL
               : text;
}

char *describe_socket_failure(const char *path, int error)
{
    char *text;

    return asprintf(&text, "no socket %s: %s%s", path,
                    error == -EEXIST
                        ? "something else has that name, a directory for example: remove it"
                        : path_cause(error),
                    is_shortage(error) ? "" : ", or choose another path with --socket") < 0
               ? NULL
               : text;
}
