/* SPDX-License-Identifier: MIT */
#include "daemon/access.h"
#include "base/account.h"
#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME_SIZE  128   /* longer names are nobody's */
#define GROUPS_MAX 65536 /* of a process: the kernel's limit */
#define BLANKS     " \t"

/* The next word of the list, NULL at its end. */
static const char *next_word(const char *list, char word[NAME_SIZE], size_t *ret_length)
{
    const char *begin = list + strspn(list, BLANKS);
    size_t length = strcspn(begin, BLANKS);

    *ret_length = length;
    (void)snprintf(word, NAME_SIZE, "%.*s", (int)length, begin);
    return length > 0 ? begin : NULL;
}

int access_resolve(const char *list, struct access **ret, const char **ret_name, size_t *ret_length)
{
    CLEANUP(free_cleanup)
    struct access *access = calloc(1, sizeof(*access) + strlen(list) * sizeof(access->entries[0]));
    char word[NAME_SIZE];
    const char *begin;
    size_t length;

    if (!access) {
        return -ENOMEM;
    }
    for (; (begin = next_word(list, word, &length)); list = begin + length) {
        struct access_entry *entry = &access->entries[access->count];
        int r;

        if (strcmp(word, "*") == 0) {
            access->everybody = true;
            continue;
        }
        entry->is_group = word[0] == '@';
        r = length >= NAME_SIZE ? -ENOENT
            : entry->is_group   ? account_group(word + 1, &entry->id)
                                : account_user(word, &entry->id);
        if (r < 0) {
            *ret_name = begin;
            *ret_length = length;
            return r;
        }
        access->count++;
    }
    *ret = take(access);
    return 0;
}

static bool is_member(gid_t gid, const gid_t *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (groups[i] == gid) {
            return true;
        }
    }
    return false;
}

int access_groups(int socket, gid_t primary, gid_t **ret, size_t *ret_count)
{
    gid_t *groups = malloc(sizeof(gid_t) * (GROUPS_MAX + 1));
    socklen_t length = sizeof(gid_t) * GROUPS_MAX;

    if (!groups) {
        return -ENOMEM;
    }
    groups[0] = primary; /* it is not among the others */
    if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups + 1, &length) < 0) {
        length = 0;
    }
    *ret = groups;
    *ret_count = 1 + length / sizeof(gid_t);
    return 0;
}

bool access_allows(const struct access *access, uid_t uid, const gid_t *groups, size_t count)
{
    if (access->everybody || uid == 0 || uid == geteuid()) {
        return true;
    }
    for (size_t i = 0; i < access->count; i++) {
        const struct access_entry *entry = &access->entries[i];

        if (entry->is_group ? is_member(entry->id, groups, count) : entry->id == uid) {
            return true;
        }
    }
    return false;
}
