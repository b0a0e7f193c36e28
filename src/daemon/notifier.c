/* SPDX-License-Identifier: MIT */
#include "daemon/notifier.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/passing.h"
#include "base/step.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NAME "FDNAME="

struct note {
    struct note *next;
    size_t count;
    int fds[NOTIFIER_FDS_MAX];
    size_t subject; /* so many bytes of the text say what it is about */
    char text[];
};

struct notifier {
    int socket;
    struct sockaddr_un address; /* of systemd */
    socklen_t length;
    pthread_t thread;

    /* What follows is guarded by the mutex. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool closing;
    struct note *first;
    size_t waiting; /* with the one that is on its way, … */
    size_t stores;  /* … and those of them that have descriptors */
};

/* --- sending --- */

/* $NOTIFY_SOCKET, see sd_notify(3): a path, or "@" and an abstract name. False: it is none. */
static bool find_systemd(struct notifier *notifier)
{
    const char *name = getenv("NOTIFY_SOCKET");
    size_t length = name ? strlen(name) : 0;

    if (length < 2 || length >= sizeof(notifier->address.sun_path) || !strchr("/@", name[0])) {
        return false;
    }
    notifier->address.sun_family = AF_UNIX;
    memcpy(notifier->address.sun_path, name, length);
    notifier->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (name[0] == '@') {
        notifier->address.sun_path[0] = '\0';
    }
    return true;
}

/* It waits for room, or (MSG_DONTWAIT) does not. False: it is not sent. */
static bool transmit(struct notifier *notifier, const char *text, const int *fds, size_t count,
                     int flags)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    struct msghdr message = {
        .msg_name = &notifier->address,
        .msg_namelen = notifier->length,
        .msg_iov = &iov,
        .msg_iovlen = 1,
    };
    bool sent;

    STEP("notifier.send");
    sent = passing_send(notifier->socket, message, fds, count, flags) == 0;
    STEP("notifier.sent");
    return sent;
}

/* --- a message --- */

static struct note *note_free(struct note *note)
{
    if (note) {
        for (size_t i = 0; i < note->count; i++) {
            (void)fd_close(note->fds[i]);
        }
    }
    free(note);
    return NULL;
}

DEFINE_CLEANUP(struct note, note_free)

/* NULL without memory. */
static struct note *note_new(const char *text)
{
    size_t length = strlen(text);
    struct note *note = calloc(1, sizeof(*note) + length + 1);

    if (note) {
        memcpy(note->text, text, length);
        note->subject = strcspn(text, strncmp(text, NAME, strlen(NAME)) == 0 ? "\n" : "=") + 1;
    }
    return note;
}

/* False: there are no descriptors for the copies. */
static bool note_attach(struct note *note, const int *fds, size_t count)
{
    while (note->count < count) {
        int copy = fcntl(fds[note->count], F_DUPFD_CLOEXEC, 0);

        if (copy < 0) {
            return false;
        }
        note->fds[note->count++] = copy;
    }
    return true;
}

static bool is_about_the_same(const struct note *a, const struct note *b)
{
    return a->subject == b->subject && memcmp(a->text, b->text, a->subject) == 0;
}

/* --- the queue; called with the mutex --- */

static struct note *take_out(struct note **at)
{
    struct note *note = *at;

    *at = note->next;
    return note;
}

static void settle(struct notifier *notifier, bool stores)
{
    notifier->waiting--;
    notifier->stores -= stores;
    (void)pthread_cond_broadcast(&notifier->changed);
}

/*
 * What is out of date now; true if that was to be kept. Its descriptors are not the last ones: who
 * has something forgotten still has it.
 */
static bool withdraw(struct notifier *notifier, const struct note *newer)
{
    CLEANUP(note_free_cleanup) struct note *older = NULL;
    struct note **at = &notifier->first;

    while (*at && !is_about_the_same(*at, newer)) {
        at = &(*at)->next;
    }
    if (!*at) {
        return false;
    }
    older = take_out(at);
    settle(notifier, older->count > 0);
    return older->count > 0;
}

static bool has_room(const struct notifier *notifier)
{
    return notifier->stores < NOTIFIER_STORES_MAX;
}

static void put(struct notifier *notifier, struct note *note, bool ahead)
{
    struct note **at = &notifier->first;

    while (*at && !ahead) {
        at = &(*at)->next;
    }
    note->next = *at;
    *at = note;
    notifier->waiting++;
    notifier->stores += note->count > 0;
    (void)pthread_cond_broadcast(&notifier->changed);
}

/* --- the thread --- */

static void *run(void *argument)
{
    struct notifier *notifier = argument;

    (void)pthread_mutex_lock(&notifier->mutex);
    while (notifier->first || !notifier->closing) {
        struct note *note;
        bool stores;

        if (!notifier->first) {
            (void)pthread_cond_wait(&notifier->changed, &notifier->mutex);
            continue;
        }
        note = take_out(&notifier->first);
        stores = note->count > 0;
        (void)pthread_mutex_unlock(&notifier->mutex);
        (void)transmit(notifier, note->text, note->fds, note->count, 0);
        (void)note_free(note); /* a connection that nobody else has any more may linger */
        (void)pthread_mutex_lock(&notifier->mutex);
        settle(notifier, stores);
    }
    (void)pthread_mutex_unlock(&notifier->mutex);
    return NULL;
}

/* --- the loop --- */

static int start(struct notifier *notifier)
{
    int r;

    notifier->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notifier->socket < 0) {
        return -errno;
    }
    r = -pthread_mutex_init(&notifier->mutex, NULL);
    if (r == 0) {
        r = -pthread_cond_init(&notifier->changed, NULL);
    }
    if (r == 0) {
        r = thread_start(&notifier->thread, NULL, run, notifier);
    }
    if (r < 0) {
        (void)fd_close(notifier->socket);
    }
    return r;
}

int notifier_new(struct notifier **ret)
{
    CLEANUP(free_cleanup) struct notifier *notifier = calloc(1, sizeof(*notifier));
    int r;

    *ret = NULL;
    if (!notifier) {
        return -ENOMEM;
    }
    if (!find_systemd(notifier)) {
        return 0;
    }
    r = start(notifier);
    if (r == 0) {
        *ret = take(notifier);
    }
    return r;
}

/* As a rule nothing waits, and there is room: then systemd has it before anything else happens. */
static bool send_at_once(struct notifier *notifier, const char *text, const int *fds, size_t count)
{
    return notifier_waiting(notifier) == 0 && transmit(notifier, text, fds, count, MSG_DONTWAIT);
}

/*
 * What was to be kept, and waits, need not be forgotten. Without memory for the queue it is told at
 * once: a start that is over must be known.
 */
static void tell(struct notifier *notifier, const char *text, bool ahead, bool forgets)
{
    struct note *note;

    if (send_at_once(notifier, text, NULL, 0)) {
        return;
    }
    note = note_new(text);
    if (!note) {
        (void)transmit(notifier, text, NULL, 0, 0);
        return;
    }
    (void)pthread_mutex_lock(&notifier->mutex);
    if (withdraw(notifier, note) && forgets) {
        (void)note_free(note);
    } else {
        put(notifier, note, ahead);
    }
    (void)pthread_mutex_unlock(&notifier->mutex);
}

void notifier_tell(struct notifier *notifier, const char *format, ...)
{
    char text[NOTIFIER_TEXT_MAX];
    va_list words;

    if (notifier) {
        va_start(words, format);
        (void)vsnprintf(text, sizeof(text), format, words);
        va_end(words);
        tell(notifier, text, false, false);
    }
}

void notifier_feed_watchdog(struct notifier *notifier)
{
    if (notifier) {
        tell(notifier, "WATCHDOG=1", true, false);
    }
}

void notifier_forget(struct notifier *notifier, const char *name)
{
    char text[NOTIFIER_TEXT_MAX];

    if (notifier) {
        (void)snprintf(text, sizeof(text), NAME "%s\nFDSTOREREMOVE=1", name);
        tell(notifier, text, false, true);
    }
}

bool notifier_keep(struct notifier *notifier, const char *name, const int *fds, size_t count)
{
    CLEANUP(note_free_cleanup) struct note *note = NULL;
    char text[NOTIFIER_TEXT_MAX];

    if (!notifier) {
        return true;
    }
    (void)snprintf(text, sizeof(text), NAME "%s\nFDSTORE=1\nFDPOLL=0", name);
    if (send_at_once(notifier, text, fds, count)) {
        return true;
    }
    if (!notifier_await_room(notifier, 0)) { /* there will not be less: the thread only takes out */
        return false;
    }
    note = note_new(text);
    if (!note || !note_attach(note, fds, count)) {
        return false;
    }
    (void)pthread_mutex_lock(&notifier->mutex);
    put(notifier, take(note), false);
    (void)pthread_mutex_unlock(&notifier->mutex);
    return true;
}

size_t notifier_waiting(struct notifier *notifier)
{
    size_t waiting;

    if (!notifier) {
        return 0;
    }
    (void)pthread_mutex_lock(&notifier->mutex);
    waiting = notifier->waiting;
    (void)pthread_mutex_unlock(&notifier->mutex);
    return waiting;
}

bool notifier_await_room(struct notifier *notifier, uint64_t until_usec)
{
    struct timespec until = clock_timespec(until_usec);
    bool room;
    int r = 0;

    if (!notifier) {
        return true;
    }
    (void)pthread_mutex_lock(&notifier->mutex);
    while (!has_room(notifier) && r == 0) {
        r = pthread_cond_clockwait(&notifier->changed, &notifier->mutex, CLOCK_MONOTONIC, &until);
    }
    room = has_room(notifier);
    (void)pthread_mutex_unlock(&notifier->mutex);
    return room;
}

struct notifier *notifier_close(struct notifier *notifier, uint64_t timeout_usec)
{
    struct timespec until = clock_timespec(clock_usec() + timeout_usec);

    if (!notifier) {
        return NULL;
    }
    (void)pthread_mutex_lock(&notifier->mutex);
    notifier->closing = true;
    (void)pthread_cond_broadcast(&notifier->changed);
    (void)pthread_mutex_unlock(&notifier->mutex);
    if (pthread_clockjoin_np(notifier->thread, NULL, CLOCK_MONOTONIC, &until) != 0) {
        return NULL; /* it hangs, and goes down with the process */
    }
    (void)pthread_cond_destroy(&notifier->changed);
    (void)pthread_mutex_destroy(&notifier->mutex);
    (void)fd_close(notifier->socket);
    free(notifier);
    return NULL;
}
