/* SPDX-License-Identifier: MIT
 *
 * The daemon's status: a JSON document with one level of values, and an array of objects with one
 * level each. That much of JSON is understood here, and no more.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

/* A piece of the document. */
struct piece {
    const char *text;
    size_t length;
};

/*
 * The next member of an object: `at` is behind its brace, or what the call before returned. The
 * name comes without its quotes; the value as it is. NULL: there is none.
 */
const char *document_member(const char *at, struct piece *ret_name, struct piece *ret_value);

/* The value of a member of the outermost object, without quotes; length 0: there is none. */
struct piece document_find(const char *document, const char *name);

/* A string of it, as it is to be read: its quotes and backslashes without those that escape them.
 * The caller's to free; NULL: no memory. */
char *document_text(struct piece value);

/* One line `name:  value` for each member, and one for each object in an array. */
void document_write(FILE *file, const char *document);
