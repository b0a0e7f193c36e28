/* SPDX-License-Identifier: MIT
 *
 * What is said on a connection.
 *
 * It has a moment to say what it wants: HELLO makes a subscriber or a publisher of it, STATUS gets
 * a report.
 * Whatever else it says ends it.
 */
#pragma once

#include "daemon/sessions.h"

/* A new connection: from now on it may speak, and has to. */
int handshake_begin(struct session *session);

/* A session of an earlier daemon, with its page: from now on it is heard. */
int handshake_resume(struct session *session);

/* Why it is refused with this error. */
const char *handshake_objection(const struct session *session, int error);

/* Says why, and ends it. */
void handshake_refuse(struct session *session, int error);

/* Those who were put off have their turn, as far as it is theirs by now. */
int handshake_turn(struct sd_event_source *s, uint64_t usec, void *sessions);

/* Has systemd keep its descriptors, if it has not yet: now, or when it is its user's turn. */
void handshake_keep(struct session *session);

/* Those whose turn it is by now. */
int handshake_keep_turn(struct sd_event_source *s, uint64_t usec, void *sessions);

/* At the end, when there is no other turn to come, and until then there may be room. */
void handshake_keep_at_last(struct session *session, uint64_t until_usec);
