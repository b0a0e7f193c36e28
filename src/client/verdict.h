/* SPDX-License-Identifier: MIT
 *
 * What an audit has found, in words and as a JSON document.
 */
#pragma once

#include "client/judge.h"

#include <stdio.h>

/* Both after judge_finish(). Errors stay with the stream. */
void verdict_write_text(const struct judge *judge, FILE *file);
void verdict_write_json(const struct judge *judge, FILE *file);
