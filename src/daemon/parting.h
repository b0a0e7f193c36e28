/* SPDX-License-Identifier: MIT
 *
 * What is left of a session that has ended: what its client may still read.
 *
 * Messages that a client leaves unread, and the descriptors in them, the kernel counts as ours, and
 * only the client can take them away. So the connection is shut down, but not closed: it goes on to
 * count for its user until the client has read all that there is, or has hung up. Only that a user
 * was refused, and has not read it, takes no place of his: these are counted by themselves.
 *
 * The page of a subscriber that we have ended says why. It is memory of ours for as long as the
 * client holds it; so for each user as many are left as there may be sessions, and the oldest one
 * is emptied.
 *
 * What the client has left unread by us, and the page, it can make us wait for (disposal.h). Where
 * that goes on for more than a second, it counts for its user, too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct notice;
struct parting;
struct sd_event_source;
struct session;
struct sessions;

/* Shuts down the connection of a session that ends, and closes it as soon as that can be. */
void parting_begin(struct session *session);

/* The same for the connection alone. */
void parting_hang_up(struct session *session);

/* … and for one (-1: none) that has become no session. */
void parting_close(struct sessions *sessions, int socket);

/* What is not done yet, is gone on with. */
int parting_tick(struct sd_event_source *s, uint64_t usec, void *sessions);

/*
 * How many connections wait for their clients to read, of one user or (ANYBODY) of all: those where
 * nothing is unread but that they were refused, or the others.
 */
size_t parting_count(const struct sessions *sessions, uid_t uid, bool refused);

/* Adds what each user has to its places (usage.h). Returns how many these are in all. */
size_t parting_count_places(const struct sessions *sessions);

/* What this user's clients have not read yet, in bytes of the kernel. */
size_t parting_unread(const struct sessions *sessions, uid_t uid);

/* All of them: they are closed, and the pages that tell why stay as they are. */
void parting_clear(struct sessions *sessions);

/* Is there nobody at the other end of a connection? */
bool socket_has_hung_up(int socket);

/* What is not read there. */
size_t socket_unread(int socket);

/*
 * From now on, whoever sends descriptors there gets EPERM (Linux 6.16). Of earlier kernels, and of
 * what came before, see disposal.h.
 */
void socket_refuse_descriptors(int socket);
