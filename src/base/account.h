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

/*
 * Who this process is, as "user shmd", or "uid 4242" where that has no name. The name is looked up
 * once: who does not want to wait for it later asks early.
 */
const char *account_self(void);
