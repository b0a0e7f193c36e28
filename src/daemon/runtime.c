/* SPDX-License-Identifier: MIT */
#include "daemon/runtime.h"
#include "base/cleanup.h"
#include "base/parse.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

static const char shared[] = RUNSTATEDIR "/shmd";

/* Is it there already, and ours? */
static bool is_own_directory(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

/* Ours alone, or -EPERM: in a directory for everybody, a stranger may have made it first. */
static int private_directory(const char *path)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        return -errno;
    }
    return is_own_directory(path) ? 0 : -EPERM;
}

/* The service's and root's is open to clients, who look for the daemon's socket there. */
static int shared_directory(const char *path)
{
    if (mkdir(path, 0700) < 0) {
        return errno == EEXIST ? 0 : -errno;
    }
    return chmod(path, 0755) < 0 ? -errno : 0; /* whatever the umask is */
}

static bool is_given(void)
{
    const char *given = getenv("RUNTIME_DIRECTORY");

    return given && *given;
}

int runtime_path(char **ret)
{
    const char *given = getenv("RUNTIME_DIRECTORY");
    const char *user = getenv("XDG_RUNTIME_DIR");
    char *path;
    int r;

    if (is_given()) {
        r = asprintf(&path, "%.*s", (int)strcspn(given, ":"), given);
    } else if (geteuid() == 0 || is_own_directory(shared)) {
        r = asprintf(&path, "%s", shared);
    } else if (user && *user) {
        r = asprintf(&path, "%s/shmd", user);
    } else {
        r = asprintf(&path, "/tmp/shmd-%u", (unsigned)geteuid());
    }
    if (r < 0) {
        return -ENOMEM;
    }
    *ret = path;
    return 0;
}

int runtime_directory(char **ret)
{
    CLEANUP(free_cleanup) char *path = NULL;
    int r = runtime_path(&path);

    if (r == 0 && !is_given()) {
        r = strcmp(path, shared) == 0 ? shared_directory(path) : private_directory(path);
    }
    if (r < 0) {
        return r;
    }
    *ret = take(path);
    return 0;
}

static bool is_service(void)
{
    const char *started = getenv("SYSTEMD_EXEC_PID");
    uint64_t pid;

    return started && parse_u64(started, &pid) == 0 && pid == (uint64_t)getpid();
}

char *runtime_mark(const char *instance, const char *kind)
{
    CLEANUP(free_cleanup) char *directory = NULL;
    char *path;

    if (!is_service() || runtime_directory(&directory) < 0 ||
        asprintf(&path, "%s/%s.%s", directory, instance, kind) < 0) {
        return NULL;
    }
    return path;
}
