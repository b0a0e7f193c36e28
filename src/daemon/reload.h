/* SPDX-License-Identifier: MIT
 *
 * Reload: the file is read into a new object, judged and tried out beside the loop, and only then
 * put in the place of the old one. What is refused is refused as a whole; the daemon goes on as it
 * was.
 */
#pragma once

struct manager;

/* SIGHUP: begins it. How it ended is logged later, and systemd is told. */
void manager_reload(struct manager *manager);
