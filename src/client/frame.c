/* SPDX-License-Identifier: MIT */
#include "client/frame.h"

#include <string.h>

#define PREFIX ((size_t)4) /* bytes of a length, little-endian */

static enum frame_found find_line(const char *bytes, size_t length, size_t searched, bool ended,
                                  size_t longest, struct frame *ret)
{
    const char *newline = memchr(bytes + searched, '\n', length - searched);

    if (!newline && (!ended || length == 0)) {
        return length > longest ? FRAME_TOO_LONG : FRAME_NONE;
    }
    *ret = (struct frame){.record = bytes, .length = length, .taken = length};
    if (newline) {
        ret->length = (size_t)(newline - bytes);
        ret->taken = ret->length + 1;
    }
    return ret->length > longest ? FRAME_TOO_LONG : FRAME_RECORD;
}

static enum frame_found find_prefixed(const char *bytes, size_t length, bool ended, size_t longest,
                                      struct frame *ret)
{
    size_t size = 0;

    if (length < PREFIX) {
        return ended && length > 0 ? FRAME_CUT : FRAME_NONE;
    }
    for (size_t i = PREFIX; i-- > 0;) {
        size = size << 8 | (unsigned char)bytes[i];
    }
    if (size > longest) {
        return FRAME_TOO_LONG;
    }
    if (length - PREFIX < size) {
        return ended ? FRAME_CUT : FRAME_NONE;
    }
    *ret = (struct frame){.record = bytes + PREFIX, .length = size, .taken = PREFIX + size};
    return FRAME_RECORD;
}

enum frame_found frame_find(enum framing framing, const char *bytes, size_t length, size_t searched,
                            bool ended, size_t longest, struct frame *ret)
{
    switch (framing) {
    case FRAMING_LINE:
        return find_line(bytes, length, searched, ended, longest, ret);
    case FRAMING_LENGTH:
        return find_prefixed(bytes, length, ended, longest, ret);
    case FRAMING_WHOLE:
        break;
    }
    if (length > longest) {
        return FRAME_TOO_LONG;
    }
    *ret = (struct frame){.record = bytes, .length = length, .taken = length};
    return ended ? FRAME_RECORD : FRAME_NONE;
}
