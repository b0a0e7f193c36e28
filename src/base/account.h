/* SPDX-License-Identifier: MIT
 *
 * Users and groups by name or number.
 *
 * That a name cannot be looked up, because the system is short of something, does not mean that
 * there is none: whoever asks must tell the two apart.
 */
#pragma once

#include <sys/types.h>

/* -ENOENT: there is none of this name. Others: it could not be looked up, and may be there. */
int account_user(const char *name, uid_t *ret);
int account_group(const char *name, gid_t *ret);
