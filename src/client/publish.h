/* SPDX-License-Identifier: MIT
 *
 * Publishing: standard input, or a file, becomes records.
 */
#pragma once

#include "client/options.h"
#include "client/output.h"

enum exit_status publish(const struct options *options);
