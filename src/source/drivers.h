/* SPDX-License-Identifier: MIT
 *
 * The drivers, each in a file of its name.
 */
#pragma once

#include "source/source.h"

extern const struct source_driver source_alphabet;
extern const struct source_driver source_command;
extern const struct source_driver source_file;
extern const struct source_driver source_pattern;
extern const struct source_driver source_push;
extern const struct source_driver source_stream;
