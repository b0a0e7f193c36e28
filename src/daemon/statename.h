/* SPDX-License-Identifier: MIT
 *
 * Whether the name of a state still leads to it. Whoever removes the file takes its name away, and
 * nothing else: the daemon goes on with what it has mapped, but the next one would find nothing.
 */
#pragma once

#include "daemon/state.h"

/* Also where that cannot be found out. */
bool state_is_named(const struct state *state);

/*
 * Gives the state its name again, whatever has that now: a file that was removed can get none, so
 * the state moves to another one, a copy. Nobody else may touch it meanwhile. On failure it stays
 * where it is. -EBUSY: another daemon has its state under that name. -EAGAIN: a thread has
 * its descriptor (preparation.h).
 */
int state_name_again(struct state *state);
