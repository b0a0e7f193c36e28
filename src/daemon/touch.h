/* SPDX-License-Identifier: MIT
 *
 * Touching the pages of a segment beside the work, a few at a time. Each page is given to us when
 * it is touched first, which takes seconds for all of a large segment; and so does the memory count
 * as ours from the start, and not whenever a record comes by.
 *
 * At a start all are touched at once, because nobody waits yet. A segment that comes later was
 * tried out before (preparation.h).
 */
#pragma once

struct manager;

/* Its timer. */
int touch_new(struct manager *manager);

/* There is another segment. */
void touch_begin(struct manager *manager);
