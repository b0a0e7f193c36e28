/* SPDX-License-Identifier: MIT
 *
 * Reading by key alone: nobody knows who we are.
 */
#pragma once

#include "client/options.h"
#include "client/output.h"

/* Reads as the options say, to the end. */
enum exit_status anonymous_read(const struct options *options, uint32_t key);

/* Says why the segment cannot be opened. */
enum exit_status anonymous_explain(const struct options *options, uint32_t key, int error);
