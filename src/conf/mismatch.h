/* SPDX-License-Identifier: MIT
 *
 * A value of another type than its setting has: what stands there, and what should. Much of it is
 * plain: a number in quotes, a list as one text.
 */
#pragma once

#include <libconfig.h>

struct conf;

/* `path`: of a setting, or of a group. Makes the message, and returns -EINVAL. */
int conf_mismatch(const struct conf *conf, const char *path, const config_setting_t *value,
                  char **ret_message);

/* The same of a value in a list. */
int conf_mismatch_within(const struct conf *conf, const char *path, const config_setting_t *value,
                         char **ret_message);
