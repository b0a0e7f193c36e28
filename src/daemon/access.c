/* SPDX-License-Identifier: MIT */
#include "daemon/access.h"
#include "base/parse.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME_SIZE 128 /* longer names are nobody's */
#define BLANKS    " \t"

/* The next word of the list, NULL at its end. */
static const char *next_word(const char *list, char word[NAME_SIZE], size_t *ret_length)
{
    const char *begin = list + strspn(list, BLANKS);
    size_t length = strcspn(begin, BLANKS);

    *ret_length = length;
    (void)snprintf(word, NAME_SIZE, "%.*s", (int)length, begin);
    return length > 0 ? begin : NULL;
}

static bool find_user(const char *name, uid_t *ret)
{
    const struct passwd *entry;
    uint64_t number;

    if (parse_u64_range(name, 0, UINT32_MAX - 1, &number) == 0) {
        *ret = (uid_t)number;
        return true;
    }
    entry = getpwnam(name);
    if (entry) {
        *ret = entry->pw_uid;
    }
    return entry;
}

static bool find_group(const char *name, gid_t *ret)
{
    const struct group *entry;
    uint64_t number;

    if (parse_u64_range(name, 0, UINT32_MAX - 1, &number) == 0) {
        *ret = (gid_t)number;
        return true;
    }
    entry = getgrnam(name);
    if (entry) {
        *ret = entry->gr_gid;
    }
    return entry;
}

bool access_valid(const char *list, const char **ret_name, size_t *ret_length)
{
    char word[NAME_SIZE];
    const char *begin;
    size_t length;

    for (; (begin = next_word(list, word, &length)); list = begin + length) {
        uid_t uid;
        gid_t gid;

        if (length >= NAME_SIZE ||
            (strcmp(word, "*") != 0 && word[0] != '@' && !find_user(word, &uid)) ||
            (word[0] == '@' && !find_group(word + 1, &gid))) {
            *ret_name = begin;
            *ret_length = length;
            return false;
        }
    }
    return true;
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

bool access_allowed(const char *list, uid_t uid, const gid_t *groups, size_t count)
{
    char word[NAME_SIZE];
    const char *begin;
    size_t length;

    if (uid == 0 || uid == geteuid()) {
        return true;
    }
    for (; (begin = next_word(list, word, &length)); list = begin + length) {
        uid_t user;
        gid_t group;

        if (strcmp(word, "*") == 0 ||
            (word[0] == '@' ? find_group(word + 1, &group) && is_member(group, groups, count)
                            : find_user(word, &user) && user == uid)) {
            return true;
        }
    }
    return false;
}
