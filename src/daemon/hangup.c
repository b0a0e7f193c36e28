/* SPDX-License-Identifier: MIT */
#include "daemon/hangup.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "daemon/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#define LOOK_MSEC     20   /* between two looks at the answer */
#define REFUSAL_BYTES 1900 /* of a refusal; with the numbers, less than HANGUP_REFUSAL_MAX */
#define NAME_BYTES    16   /* of a process, with the NUL */

/* The name of the program that a process runs. */
static int name_of(pid_t pid, char ret_name[NAME_BYTES])
{
    CLEANUP(fd_close_cleanup) int fd = -1;
    char path[sizeof("/proc//comm") + 3 * sizeof(pid)];
    ssize_t length;

    (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? -ESRCH : -errno;
    }
    length = read(fd, ret_name, NAME_BYTES);
    if (length <= 0) {
        return length < 0 ? -errno : -ESRCH;
    }
    ret_name[length - 1] = '\0'; /* was a newline */
    return 0;
}

/* --- the daemon --- */

void hangup_answer(const char *instance, uint64_t asked, uint64_t done, const char *refusal)
{
    CLEANUP(free_cleanup) char *path = runtime_mark(instance, "reload");
    CLEANUP(free_cleanup) char *next = NULL;
    CLEANUP(file_close_cleanup) FILE *file = NULL;

    if (path && asprintf(&next, "%s~", path) < 0) {
        next = NULL;
    }
    file = next ? fopen(next, "we") : NULL;
    /* A name for what is whole: who looks there finds this answer, or the one before. */
    if (file &&
        fprintf(file, "%d %" PRIu64 " %" PRIu64 " %.*s", (int)getpid(), asked, done, REFUSAL_BYTES,
                refusal ? refusal : "") > 0 &&
        fflush(file) == 0) {
        (void)rename(next, path);
    }
}

void hangup_end(const char *instance)
{
    CLEANUP(free_cleanup) char *path = runtime_mark(instance, "reload");

    if (path) {
        (void)unlink(path);
    }
}

/* --- who asks --- */

struct answer {
    int pid;
    uint64_t asked;
    uint64_t done;
    char refusal[HANGUP_REFUSAL_MAX];
};

/* False: there is none of this daemon. */
static bool read_answer(const char *path, pid_t pid, struct answer *ret)
{
    CLEANUP(free_cleanup) char *text = NULL;
    size_t length;
    int at = 0;

    if (!path || file_read(path, HANGUP_REFUSAL_MAX, &text, &length) < 0 ||
        sscanf(text, "%d %" SCNu64 " %" SCNu64 "%n", &ret->pid, &ret->asked, &ret->done, &at) < 3) {
        return false;
    }
    (void)snprintf(ret->refusal, sizeof(ret->refusal), "%s", text + at + strspn(text + at, " "));
    return ret->pid == pid;
}

/* What was asked for before we looked may be done with what was in the file then. */
static int await_answer(const char *path, pid_t pid, int pidfd, uint64_t before,
                        char ret_refusal[HANGUP_REFUSAL_MAX])
{
    struct pollfd daemon = {.fd = pidfd, .events = POLLIN};
    struct answer answer;

    do {
        if (read_answer(path, pid, &answer) && answer.done > before) {
            memcpy(ret_refusal, answer.refusal, sizeof(answer.refusal));
            return *ret_refusal ? -ECANCELED : 0;
        }
    } while (poll(&daemon, 1, LOOK_MSEC) <= 0);
    (void)snprintf(ret_refusal, HANGUP_REFUSAL_MAX, "the daemon has ended meanwhile");
    return -ECANCELED;
}

int hangup_send(pid_t pid, const char *instance, char ret_refusal[HANGUP_REFUSAL_MAX])
{
    CLEANUP(free_cleanup) char *path = runtime_mark(instance, "reload");
    CLEANUP(fd_close_cleanup) int pidfd = pidfd_open(pid, 0);
    char own[NAME_BYTES], name[NAME_BYTES];
    struct answer before;
    bool answers;
    int r = name_of(pid, name);

    if (r < 0) {
        return r;
    }
    if (prctl(PR_GET_NAME, own) < 0) {
        return -errno;
    }
    if (strcmp(name, own) != 0) {
        return -ESRCH;
    }
    answers = pidfd >= 0 && read_answer(path, pid, &before);
    if (kill(pid, SIGHUP) < 0) {
        return -errno;
    }
    return answers ? await_answer(path, pid, pidfd, before.asked, ret_refusal) : 0;
}
