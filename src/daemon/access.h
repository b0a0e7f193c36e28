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

#include <stddef.h>
#include <sys/types.h>

/*
 * Is every name of the list known? -ENOENT: *ret_name and *ret_length say which is not. Others: it
 * could not be looked up.
 */
int access_check(const char *list, const char **ret_name, size_t *ret_length);

/*
 * The groups of the process at the other end of a connection, `primary` first, the caller's to
 * free; only that one where the kernel does not tell.
 */
int access_groups(int socket, gid_t primary, gid_t **ret, size_t *ret_count);

/* 0: it may. -EPERM: it may not. Others: a name could not be looked up. */
int access_allowed(const char *list, uid_t uid, const gid_t *groups, size_t count);
