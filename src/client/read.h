/* SPDX-License-Identifier: MIT
 *
 * The verbs read and peek: records to standard output.
 */
#pragma once

#include "client/options.h"
#include "client/output.h"
#include "lib/shmd.h"

enum exit_status read_records(const struct options *options, struct shmd_anonymous *segment,
                              const struct shmd_anonymous_info *info);
