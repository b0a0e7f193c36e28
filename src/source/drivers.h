/* SPDX-License-Identifier: MIT
 *
 * The drivers, each in a file of its name.
 */
#pragma once

#include "source/source.h"

extern const struct source_driver source_alphabet;
extern const struct source_driver source_pattern;
