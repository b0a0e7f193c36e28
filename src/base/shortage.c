/* SPDX-License-Identifier: MIT */
#include "base/shortage.h"
#include "base/account.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX 256

const char *error_text(int error)
{
    static _Thread_local char text[TEXT_MAX];

    switch (-error) {
    case EAGAIN:
        return "this user, or this service, has as many processes and threads as it may: see "
               "TasksMax=, LimitNPROC= or ulimit -u";
    case EMFILE:
        return "this process has as many files open as it may: see LimitNOFILE= or ulimit -n";
    case ENFILE:
        return "the system has as many files open as it may: see sysctl fs.file-max";
    case ETOOMANYREFS:
        return "too many descriptors of this user are in flight on sockets, in all containers: see "
               "ulimit -n";
    case EACCES:
    case EPERM:
        (void)snprintf(text, sizeof(text), "%s for %s", strerror(-error), account_self());
        return text;
    default:
        return strerror(-error);
    }
}
