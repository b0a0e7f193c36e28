/* SPDX-License-Identifier: MIT
 *
 * The verb status: what the daemon says of itself; without it, what can be seen by the key alone.
 */
#pragma once

#include "client/options.h"
#include "client/output.h"

enum exit_status status_show(const struct options *options);
