/* SPDX-License-Identifier: MIT
 *
 * The way to a file: every directory in which a name of its path is looked up. Where a name is a
 * symbolic link, the way leads on to what that says. So a file becomes another one only if one of
 * these names does, or if it is written to.
 */
#pragma once

/* Before the name is looked up in the directory. */
typedef void (*way_step)(void *userdata, const char *directory, const char *name);

/* Goes as far as there is something: to the file, or to the first name that is not there. */
void way_walk(const char *path, way_step step, void *userdata);
