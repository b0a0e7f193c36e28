/* SPDX-License-Identifier: MIT
 *
 * The verb status: the segment, as it can be seen by its key alone.
 */
#pragma once

#include "client/options.h"
#include "client/output.h"
#include "lib/shmd.h"

enum exit_status status_show(const struct options *options, const struct shmd_anonymous_info *info);
