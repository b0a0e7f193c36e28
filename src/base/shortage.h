/* SPDX-License-Identifier: MIT
 *
 * Errors that pass: the system is short of something, or a device fails. What was asked for may be
 * right, and trying again later may help. Whoever reads of one wants to know whose limit it is.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>

static inline bool is_shortage(int error)
{
    switch (-error) {
    case EAGAIN:
    case EDQUOT:
    case EIO:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOLCK:
    case ENOMEM:
    case ENOSPC:
    case ETOOMANYREFS: /* descriptors on their way through sockets, of one user */
        return true;
    default:
        return false;
    }
}

/*
 * As strerror(3), and where a limit was reached, which one; where something is denied, to whom. The
 * next call of this thread may overwrite it.
 */
const char *error_text(int error);
