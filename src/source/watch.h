/* SPDX-License-Identifier: MIT
 *
 * Tells when a file may have become another one: written to, replaced by rename, removed, or made.
 *
 * inotify watches the file, and each directory on the way to it (way.h): any of the names there may
 * be a link, or a directory that is renamed. An event is only a reason to look. It is told at once
 * when a change is complete (a writer has closed the file, another one has been renamed to its
 * place), and otherwise WATCH_PAUSE later, once for all that has happened until then: a writer in
 * the middle of its work is given the time to finish it.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

#define WATCH_PAUSE UINT64_C(50000) /* microseconds */

struct sd_event;
struct watch;

/* `written`: it has, for certain; otherwise its name or what can be seen of it may have changed. */
typedef void (*watch_fn)(void *userdata, bool written);

int watch_new(struct sd_event *event, const char *path, watch_fn changed, void *userdata,
              struct watch **ret);

/*
 * From now on: forgets what has happened, and looks at the file that is there now. To be called
 * before it is read. -ENOENT and the like: nothing can be watched; -ENOSPC
 * and the like: not all of the way to it.
 */
int watch_begin(struct watch *watch);

/* Why one cannot be had, or cannot begin: what it takes, a user has a limited number of. */
const char *watch_cause(int error);

struct watch *watch_free(struct watch *watch);

DEFINE_CLEANUP(struct watch, watch_free)
