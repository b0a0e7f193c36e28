/* SPDX-License-Identifier: MIT
 *
 * What a reload needs to know, found out beside the event loop: the file is read, the names in it
 * are looked up, the memory for another segment is tried out, and that for its image in the state
 * is got. Each of these may take seconds, and whoever connects or acknowledges meanwhile does not
 * wait for it.
 *
 * A thread does it, and ends; it knows nothing of the manager.
 */
#pragma once

#include "conf/conf.h"
#include "daemon/state.h"

#include <systemd/sd-event.h>

struct preparation;

/*
 * What has come of it. `conf` and `message` are the callee's to free. A negative error: the
 * configuration cannot be used, and `message` says why (NULL: nothing but the error).
 */
typedef void (*preparation_done_t)(void *userdata, int error, struct conf *conf, char *message);

/*
 * Reads again the file that `conf` was read from; `conf` is what there is now, and so is `state`,
 * whose image keeps its size meanwhile. Calls done() once, from the event loop, unless it is freed
 * before. -errno: there is no thread to be had.
 */
int preparation_start(sd_event *event, const struct conf *conf, struct state *state,
                      preparation_done_t done, void *userdata, struct preparation **ret);

/* Its thread, if it has not ended, may go on for a while, and touches nothing of ours. NULL. */
struct preparation *preparation_free(struct preparation *preparation);
