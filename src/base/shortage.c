/* SPDX-License-Identifier: MIT */
#include "base/shortage.h"

#include <string.h>

const char *error_text(int error)
{
    switch (-error) {
    case EMFILE:
        return "this process has as many files open as it may: see LimitNOFILE= or ulimit -n";
    case ENFILE:
        return "the system has as many files open as it may: see sysctl fs.file-max";
    case ETOOMANYREFS:
        return "too many descriptors of this user are in flight on sockets, in all containers: see "
               "ulimit -n";
    default:
        return strerror(-error);
    }
}
