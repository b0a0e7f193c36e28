/* SPDX-License-Identifier: MIT */
#include "daemon/disposal.h"
#include "base/cleanup.h"
#include "base/thread.h"
#include "proto/page.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define STACK_BYTES ((size_t)128 << 10)
#define INTERRUPT   SIGURG /* by default, it is ignored */

/* What a thread has to do. */
struct job {
    int socket;
    void *page;
};

/* --- what lies in a connection --- */

enum next { NOTHING, MESSAGE, DESCRIPTORS };

/* An empty message and the end look alike but for the sender's credentials: SO_PASSCRED is on. */
static enum next look(int socket)
{
    char control[CMSG_SPACE(sizeof(struct ucred))];
    struct msghdr message = {.msg_control = control, .msg_controllen = sizeof(control)};

    if (recvmsg(socket, &message, MSG_PEEK | MSG_DONTWAIT) < 0) {
        return errno == ECONNRESET ? look(socket) : NOTHING; /* that is told once */
    }
    if (message.msg_controllen == 0) {
        return NOTHING;
    }
    return message.msg_flags & MSG_CTRUNC ? DESCRIPTORS : MESSAGE;
}

/* Receives what lies there, up to a message that this far is none to receive. */
static enum next drain(int socket, enum next limit)
{
    enum next next;

    while ((next = look(socket)) != NOTHING && next <= limit) {
        (void)recv(socket, NULL, 0, MSG_DONTWAIT);
    }
    return next;
}

static bool is_drained(int socket)
{
    static const int yes = 1;

    (void)setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes));
    return drain(socket, MESSAGE) == NOTHING;
}

/* --- the thread --- */

static void empty(void *page)
{
    (void)madvise(page, PAGE_SIZE, MADV_REMOVE);
    (void)munmap(page, PAGE_SIZE);
}

static void *run(void *argument)
{
    struct job *job = argument;
    sigset_t interrupt;

    (void)sigemptyset(&interrupt);
    (void)sigaddset(&interrupt, INTERRUPT);
    (void)pthread_sigmask(SIG_UNBLOCK, &interrupt, NULL);
    if (job->socket >= 0) {
        (void)drain(job->socket, DESCRIPTORS);
        (void)fd_close(job->socket);
    }
    if (job->page) {
        empty(job->page);
    }
    free(job);
    return NULL;
}

static void on_interrupt(int number)
{
    (void)number; /* it has interrupted a system call: that is all it is for */
}

static int start(struct disposal *disposal, struct job *job)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    pthread_attr_t attributes;
    int r = -pthread_attr_init(&attributes);

    if (r == 0) {
        (void)sigaction(INTERRUPT, &action, NULL);
        (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
        r = thread_start(&disposal->thread, &attributes, run, job);
        (void)pthread_attr_destroy(&attributes);
    }
    return r;
}

/* --- the loop --- */

static void hand_over(struct disposal *disposal)
{
    struct job *job = malloc(sizeof(*job));

    if (!job) {
        return;
    }
    *job = (struct job){.socket = disposal->socket, .page = disposal->page};
    if (start(disposal, job) < 0) {
        free(job);
        return;
    }
    disposal->running = true;
    disposal->socket = -1;
    disposal->page = NULL;
}

bool disposal_proceed(struct disposal *disposal)
{
    if (disposal->running) {
        if (pthread_tryjoin_np(disposal->thread, NULL) == 0) {
            disposal->running = false;
            return true;
        }
        (void)pthread_kill(disposal->thread, INTERRUPT);
        return false;
    }
    if (disposal->socket >= 0 && is_drained(disposal->socket)) {
        disposal->socket = fd_close(disposal->socket);
    }
    if (disposal->socket < 0 && !disposal->page) {
        return true;
    }
    hand_over(disposal);
    return false;
}

void disposal_abandon(struct disposal *disposal)
{
    if (disposal->running) {
        (void)pthread_detach(disposal->thread);
        return;
    }
    disposal->socket = fd_close(disposal->socket);
    if (disposal->page) {
        (void)munmap(disposal->page, PAGE_SIZE);
    }
}
