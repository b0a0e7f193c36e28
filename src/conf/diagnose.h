/* SPDX-License-Identifier: MIT
 *
 * What is wrong with a text that libconfig does not understand. It says "syntax error" and a line;
 * whoever has to mend it needs to know what stands there, and what should.
 *
 * This reads the same grammar, and stops where it is broken first: a setting is a name, = and a
 * value; a group has settings between braces; a list, values between brackets or parentheses.
 * Nothing here accepts a file: where it finds nothing, libconfig's own words stand.
 */
#pragma once

struct conf;

/* Makes the message, as conf_message() does, and returns -EINVAL. -ENOENT: nothing was found. */
int conf_diagnose(const struct conf *conf, const char *text, char **ret_message);
