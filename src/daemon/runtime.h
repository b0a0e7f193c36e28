/* SPDX-License-Identifier: MIT
 *
 * The runtime directory: where the state and the socket are.
 */
#pragma once

/*
 * $RUNTIME_DIRECTORY (systemd); else /run/shmd, for root and for whomever it belongs to: so that a
 * daemon by hand meets the service of its user; else one of the user's own. *ret is the
 * caller's to free.
 */
int runtime_path(char **ret);

/* The same, which is there then. -EPERM: it belongs to somebody else. */
int runtime_directory(char **ret);

/*
 * Has systemd started this very process? What is noted in files then, INSTANCE.KIND in the runtime
 * directory, is for others that it starts, and for those who find nobody there. The path is the
 * caller's to free; NULL: it has not, or there is no place for it.
 */
char *runtime_mark(const char *instance, const char *kind);
