/* SPDX-License-Identifier: MIT */
#include "daemon/access.h"
#include "base/account.h"

#include <errno.h>
#include <stdbool.h>
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

/* The user of a word, or the group where it begins with @. -ENOENT: there is none. */
static int word_find(const char *word, uid_t *ret_user, gid_t *ret_group)
{
    return word[0] == '@' ? account_group(word + 1, ret_group) : account_user(word, ret_user);
}

int access_check(const char *list, const char **ret_name, size_t *ret_length)
{
    char word[NAME_SIZE];
    const char *begin;
    size_t length;

    for (; (begin = next_word(list, word, &length)); list = begin + length) {
        uid_t user;
        gid_t group;
        int r = length >= NAME_SIZE      ? -ENOENT
                : strcmp(word, "*") == 0 ? 0
                                         : word_find(word, &user, &group);

        if (r < 0) {
            *ret_name = begin;
            *ret_length = length;
            return r;
        }
    }
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

int access_allowed(const char *list, uid_t uid, const gid_t *groups, size_t count)
{
    char word[NAME_SIZE];
    const char *begin;
    size_t length;
    int result = -EPERM;

    if (uid == 0 || uid == geteuid()) {
        return 0;
    }
    for (; (begin = next_word(list, word, &length)); list = begin + length) {
        uid_t user;
        gid_t group;
        int r;

        if (strcmp(word, "*") == 0) {
            return 0;
        }
        r = word_find(word, &user, &group);
        if (r == 0 && (word[0] == '@' ? is_member(group, groups, count) : user == uid)) {
            return 0;
        }
        if (r < 0 && r != -ENOENT) {
            result = r; /* unless another word lets it in, nobody can tell */
        }
    }
    return result;
}
