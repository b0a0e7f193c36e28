/* SPDX-License-Identifier: MIT
 *
 * What is left of a session that has ended: what its client may still read.
 *
 * Messages that a client leaves unread, and the descriptors in them, the kernel counts as ours, and
 * only the client can take them away. So the connection is shut down, but not closed: it goes on to
 * count for its user until the client has read all that there is, or has hung up.
 *
 * The page of a subscriber that we have ended says why. It is memory of ours for as long as the
 * client holds it; so for each user as many are left as there may be sessions, and the oldest one
 * is emptied.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct notice;
struct parting;
struct session;
struct sessions;

/* Shuts down the connection of a session that ends, and takes it over if it has to wait. */
void parting_begin(struct session *session);

/* How many connections there are of one user, or (uid -1) of all. */
size_t parting_count(const struct sessions *sessions, uid_t uid);

/* What this user's clients have not read yet, in bytes of the kernel. */
size_t parting_unread(const struct sessions *sessions, uid_t uid);

/* All of them: they are closed, and the pages stay as they are. */
void parting_clear(struct sessions *sessions);

/* What is not read at the other end of a connection. */
size_t socket_unread(int socket);
