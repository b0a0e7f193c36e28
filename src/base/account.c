/* SPDX-License-Identifier: MIT */
#include "base/account.h"
#include "base/parse.h"
#include "base/shortage.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

/* What errno says of a name that is not there depends on where it was looked for. */
static int missing(void)
{
    return is_shortage(-errno) ? -errno : -ENOENT;
}

int account_user(const char *name, uid_t *ret)
{
    const struct passwd *entry;
    uint64_t number;

    if (parse_u64_range(name, 0, UINT32_MAX - 1, &number) == 0) {
        *ret = (uid_t)number;
        return 0;
    }
    errno = 0;
    entry = getpwnam(name);
    if (!entry) {
        return missing();
    }
    *ret = entry->pw_uid;
    return 0;
}

int account_group(const char *name, gid_t *ret)
{
    const struct group *entry;
    uint64_t number;

    if (parse_u64_range(name, 0, UINT32_MAX - 1, &number) == 0) {
        *ret = (gid_t)number;
        return 0;
    }
    errno = 0;
    entry = getgrnam(name);
    if (!entry) {
        return missing();
    }
    *ret = entry->gr_gid;
    return 0;
}

static char self[128];

static void find_self(void)
{
    uid_t uid = geteuid();
    const struct passwd *entry = getpwuid(uid);

    if (entry) {
        (void)snprintf(self, sizeof(self), "user %s", entry->pw_name);
    } else {
        (void)snprintf(self, sizeof(self), "uid %u", (unsigned)uid);
    }
}

const char *account_self(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, find_self);
    return self;
}
