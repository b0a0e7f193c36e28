/* SPDX-License-Identifier: MIT
 *
 * Reload: the file is read into a new object, judged, tried, and only then put in the place of the
 * old one. What is refused is refused as a whole; the daemon goes on as it was.
 */
#pragma once

struct manager;

/* SIGHUP. Logs how it ended, and tells systemd. If the segment is gone for good, ends the loop. */
int manager_reload(struct manager *manager);
