/* SPDX-License-Identifier: MIT
 *
 * One entry to journald, in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), by one system
 * call that also notes that it was done.
 *
 * sd_journal_sendv(3) would do the same, but for two things. It says that all went well when there
 * is no journald to be seen. And whoever is killed between sending something and noting that it was
 * sent leaves a successor who cannot know: sendmmsg(2) closes that gap. The kernel stores the
 * length of what was sent into the message header before it returns to us, or kills us. So the
 * header lies in memory that outlives the process.
 */
#pragma once

#include <stddef.h>
#include <sys/socket.h>

#define JOURNAL_FIELDS_MAX 40

/*
 * Blocks for as long as the journal does not read. `note->msg_len` is not 0 afterwards if the entry
 * was sent, even if this never returns. Fields are "NAME=value". Negative errno: not sent.
 */
int journal_send(const struct iovec *fields, size_t count, struct mmsghdr *note);
