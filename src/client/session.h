/* SPDX-License-Identifier: MIT
 *
 * Reading with a session: the daemon knows who we are, and waits for our acknowledgement.
 */
#pragma once

#include "client/options.h"
#include "client/output.h"
#include "lib/shmd.h"

/* Reads as the options say, to the end; the subscriber has subscribed to this daemon. */
enum exit_status session_read(const struct options *options, const struct shmd_options *daemon,
                              struct shmd_subscriber *subscriber);

/* Is it a shortage that may pass? Then some of the time for that has passed; *tries begins with 0.
 */
bool session_passes(int error, unsigned *tries);

/* Says why there is no session. */
enum exit_status session_explain(const struct options *options, int error);
