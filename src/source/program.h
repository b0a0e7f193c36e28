/* SPDX-License-Identifier: MIT
 *
 * A program that a source runs: no shell, an environment and a directory of its own, no descriptor
 * of ours but a pipe for what it writes and one for what it has to say, which goes to the log line
 * by line. Its standard input is /dev/null.
 *
 * It leads a session of its own. When it has ended, or is no longer wanted, the whole process group
 * is killed: what it started ends with it, unless it has gone out of its way to leave the group.
 */
#pragma once

#include "source/source.h"

#define PROGRAM_TEXT_MAX ((size_t)512) /* bytes of a reason */

struct program;

/* What is wrong with the settings of a program; as source_driver.check. */
const char *program_check(const struct source_settings *settings, const char **ret_setting);

/*
 * Runs what the source's settings name. *ret_output reads, without waiting, what it writes; it is
 * the caller's to close. on_exit is called once, when it has ended; what it had to say was said.
 * On failure `text` says what cannot be done, and why.
 */
int program_start(const struct source *source, void (*on_exit)(void *userdata), void *userdata,
                  struct program **ret, int *ret_output, char text[PROGRAM_TEXT_MAX]);

/* Has it ended? */
bool program_is_over(const struct program *program);

/* … well, with status 0? */
bool program_is_well(const struct program *program);

/* How it has ended: "exited with status 3". */
void program_describe(const struct program *program, char text[PROGRAM_TEXT_MAX]);

/* Kills the whole group; on_exit will be called. */
void program_kill(struct program *program);

/*
 * Waits for all children of the process that have ended and are no programs: what a program has
 * left becomes ours where we are PID 1, and whoever was our child before exec(3), still is.
 */
void program_reap_others(void);

/* Kills it, if it has not ended; on_exit is called no more. */
struct program *program_free(struct program *program);
