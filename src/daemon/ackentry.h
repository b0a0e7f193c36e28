/* SPDX-License-Identifier: MIT
 *
 * The entry of an acknowledgement, with the names of users in it; and that of records which nobody
 * has acknowledged.
 *
 * Names are looked up by the log's thread: a user database may be slow. What was found is kept, for
 * as long as there are not too many.
 */
#pragma once

#include "daemon/acklog.h"
#include "daemon/entry.h"
#include "daemon/untold.h"

#include <sys/types.h>

#define USERS_KEPT     64
#define USER_NAME_SIZE 33

struct users {
    struct {
        uid_t uid;
        char name[USER_NAME_SIZE]; /* empty: free */
    } kept[USERS_KEPT];
    size_t next; /* is forgotten when there is no room */
};

/* The name of a user, or its number where it has none. Valid until the next call. */
const char *users_name(struct users *users, uid_t uid);

struct entry *ackentry_new(const struct ack *ack, uint64_t sequence, const char *user);

struct entry *ackentry_unread(const struct untold_records *let_go);
