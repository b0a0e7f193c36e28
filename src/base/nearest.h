/* SPDX-License-Identifier: MIT
 *
 * Of the words that there are, the one that somebody may have meant who wrote another one.
 */
#pragma once

#include <stddef.h>

#define NEAREST_MAX ((size_t)2) /* mistakes; who makes more has meant something else */

/*
 * How many letters have to be changed, put in, left out or exchanged with the next one; capitals
 * are not told apart. More than NEAREST_MAX: too many, or most of a short word.
 */
size_t nearest_distance(const char *a, const char *b);

struct option;

/*
 * The long option (getopt_long()) that somebody may have meant by an argument that is none, without
 * its dashes; NULL: none is near.
 */
const char *nearest_option(const struct option *options, const char *argument);
