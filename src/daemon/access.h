/* SPDX-License-Identifier: MIT
 *
 * Who may: a list of names in one string, separated by spaces.
 *
 *      "*"              everybody
 *      "alice 1000"     these users, by name or number
 *      "@staff"         the members of a group
 *      ""               nobody but root and the daemon's own user, who may always
 *
 * The kernel says who asks: the uid (SO_PEERCRED) and the groups (SO_PEERGROUPS) of the connection.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Names are looked up once, when a configuration is read: somebody's directory may take its time
 * over that, and whoever connects is not to wait for it. What is kept are numbers.
 */
struct access {
    bool everybody;
    size_t count;
    struct access_entry {
        bool is_group;
        uint32_t id; /* of a user, or of a group */
    } entries[];
};

/*
 * Looks up all names of a list; *ret is the caller's to free. -ENOENT: *ret_name and *ret_length
 * say which is not known. Others: it could not be looked up. It may take long.
 */
int access_resolve(const char *list, struct access **ret, const char **ret_name,
                   size_t *ret_length);

/*
 * The groups of the process at the other end of a connection, `primary` first, the caller's to
 * free; only that one where the kernel does not tell.
 */
int access_groups(int socket, gid_t primary, gid_t **ret, size_t *ret_count);

/* May a user, who is in these groups? */
bool access_allows(const struct access *access, uid_t uid, const gid_t *groups, size_t count);
