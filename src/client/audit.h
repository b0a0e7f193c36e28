/* SPDX-License-Identifier: MIT
 *
 * The verb audit: proves from the journal that no entry about an acknowledgement is missing.
 */
#pragma once

#include "client/options.h"
#include "client/output.h"

enum exit_status audit_show(const struct options *options);
