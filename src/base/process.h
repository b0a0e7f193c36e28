/* SPDX-License-Identifier: MIT
 *
 * The process that we are. exec(3) passes on more than arguments and an environment, and whoever
 * starts us may have left any of it in any state:
 *
 *   - standard descriptors that are closed: what is opened next gets their numbers, and what is
 *     meant for standard error goes there;
 *   - signals that are ignored (SIGCHLD: nobody learns how a child ended), blocked, or pending;
 *   - timers that run, and end us;
 *   - a umask that keeps out ourselves, and soft limits that are lower than need be;
 *   - open descriptors that nobody reads or closes.
 *
 * A daemon begins from a known state: it is put into one here, before anything else.
 */
#pragma once

/*
 * Opens what is closed of standard input, output and error. To read there, or to write, is an error
 * as before, but standard error takes everything, and throws it away. Where that cannot be done,
 * the process ends: nothing that it opens would be safe.
 */
void process_open_standard(void);

/*
 * Standard descriptors that are open; signals at their defaults (but for SIGPIPE and SIGXFSZ,
 * which are errors of a write), none blocked; no timer; a umask of 077; limits as high as they may
 * be, but for core files and the stack.
 */
void process_begin(void);

/* Closes all descriptors from this one on. */
void process_close_from(int first);
