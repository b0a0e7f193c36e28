/* SPDX-License-Identifier: MIT
 *
 * A client that means harm, and does more of it than peer.c can: each attack goes on for so many
 * rounds, at full speed.
 *
 *      attacker SOCKET ATTACK=ROUNDS…
 *
 * It says in one line what it has done, and what came of it. It exits with 1 when it could not even
 * try; to judge what the daemon made of it is the script's business. What is random is the same in
 * each run.
 */
#include "base/clock.h"
#include "proto/message.h"
#include "proto/page.h"
#include "../descriptors.h"
#include "../patience.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUBSCRIBER_FDS  (MESSAGE_WELCOME_FDS - 1)
#define STAY_MSEC       2000
#define MESSAGE_MAX     65536
#define BOMB_FDS        253 /* the most that one message carries */
#define FLOOD_PROCESSES 16
#define HELD_MAX        512 /* connections that are held open */
#define KEY             5678

enum { PAGE_FD, BELL_FD, DAEMON_BELL_FD };

/* Connections that are held open; the oldest one makes room for a new one. */
static int held[HELD_MAX];
static unsigned holding, hold_max = 64;

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static unsigned long below(unsigned long limit)
{
    return (unsigned long)random() % limit;
}

/* -1: turned away. */
static int open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = PATIENCE_SEC};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd < 0) {
        die("socket");
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void hold(int fd)
{
    int *place = &held[holding++ % hold_max];

    if (*place > 0) {
        (void)close(*place);
    }
    *place = fd;
}

static enum message_start start = MESSAGE_START_NEXT;

static struct message_hello make_hello(void)
{
    struct message_hello hello = {.head = message_head(MESSAGE_HELLO, sizeof(hello)),
                                  .role = MESSAGE_SUBSCRIBER,
                                  .start = start,
                                  .name = "attacker"};

    return hello;
}

static int carried = STDIN_FILENO;

/* Sends these bytes with so many copies of one descriptor. */
static ssize_t send_with(int socket, const void *bytes, size_t length, size_t count)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * BOMB_FDS)];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int) * count),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    for (size_t i = 0; i < count; i++) {
        memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &carried, sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* --- at the socket --- */

/* A message of random length and content, which may begin as a real one does. */
static size_t make_message(char *bytes)
{
    static const size_t lengths[] = {0, 1, sizeof(struct message), sizeof(struct message_hello),
                                     MESSAGE_MAX};
    size_t length = below(2) ? lengths[below(5)] : below(below(2) ? 256 : MESSAGE_MAX);
    struct message head = message_head((enum message_type)below(7), below(2) ? length : below(256));
    struct message_hello hello = make_hello();

    for (size_t i = 0; i < length; i++) {
        bytes[i] = (char)random();
    }
    if (below(2) && length >= sizeof(head)) {
        memcpy(bytes, &head, sizeof(head));
    }
    if (below(4) == 0 &&
        length >= sizeof(hello)) { /* right but for what it resumes, and its name */
        memcpy(bytes, &hello, offsetof(struct message_hello, epoch));
        length = sizeof(hello);
    }
    return length;
}

static void fuzz(const char *path, unsigned long rounds)
{
    static char bytes[MESSAGE_MAX];
    unsigned long connections = 0, sent = 0;
    int fd = -1;

    for (; rounds > 0; rounds--) {
        size_t length = make_message(bytes);

        if (fd < 0) {
            fd = open_socket(path);
            connections++;
        }
        if (fd >= 0 && send_with(fd, bytes, length, below(4) ? 0 : 1 + below(8)) >= 0) {
            sent++;
        } else if (fd >= 0) {
            (void)close(fd);
            fd = -1;
        }
        if (fd >= 0 && below(8) == 0) {
            hold(fd);
            fd = -1;
        }
    }
    printf("fuzz: %lu messages on %lu connections\n", sent, connections);
}

/* As many descriptors as go into a message, on connections that stay. */
static void bomb(const char *path, unsigned long rounds)
{
    struct message_hello hello = make_hello();
    struct message status = message_head(MESSAGE_STATUS, sizeof(status));
    unsigned long sent = 0;

    for (; rounds > 0; rounds--) {
        int fd = open_socket(path);

        if (fd >= 0) {
            sent += below(2) ? send_with(fd, &hello, sizeof(hello), BOMB_FDS) >= 0
                             : send_with(fd, &status, sizeof(status), BOMB_FDS) >= 0;
            hold(fd);
        }
    }
    printf("bomb: %lu messages of %d descriptors\n", sent, BOMB_FDS);
}

/* Connections that are neither begun nor ended as they should be. */
static void half(const char *path, unsigned long rounds)
{
    struct message_hello hello = make_hello();
    unsigned long connections = 0;

    for (; rounds > 0; rounds--) {
        int fd = open_socket(path);

        if (fd < 0) {
            continue;
        }
        connections++;
        switch (below(5)) {
        case 0: /* gone at once */
            (void)close(fd);
            continue;
        case 1: /* says HELLO, and is gone before the WELCOME */
            (void)send_with(fd, &hello, sizeof(hello), 0);
            (void)close(fd);
            continue;
        case 2:
            (void)shutdown(fd, SHUT_WR);
            break;
        case 3: /* nobody can answer it */
            (void)shutdown(fd, SHUT_RD);
            (void)send_with(fd, &hello, sizeof(hello), 0);
            break;
        default:
            break;
        }
        hold(fd);
    }
    printf("half: %lu connections\n", connections);
}

/* Takes what it can get, says nothing, and comes again when it is thrown out: for so many ms. */
static void mute(const char *path, unsigned long msec)
{
    uint64_t end = clock_usec() + msec * USEC_PER_MSEC;
    unsigned long opened = 0;

    hold_max = HELD_MAX;
    while (clock_usec() < end) {
        for (unsigned i = 0; i < hold_max; i++) {
            struct pollfd gone = {.fd = held[i] > 0 ? held[i] : -1};

            if (held[i] > 0 && poll(&gone, 1, 0) == 0) {
                continue;
            }
            if (held[i] > 0) {
                (void)close(held[i]);
            }
            held[i] = open_socket(path);
            opened += held[i] > 0;
        }
    }
    printf("mute: %lu connections\n", opened);
}

/* Makes session after session, ends each with a second HELLO, and reads nothing of it. */
static void deaf(const char *path, unsigned long rounds)
{
    struct message_hello hello = make_hello();
    unsigned long welcomes = 0, connections = 0;

    hold_max = HELD_MAX;
    for (; rounds > 0; rounds--) {
        int fd = open_socket(path);

        if (fd >= 0) {
            (void)send_with(fd, &hello, sizeof(hello), 0);
            (void)send_with(fd, &hello, sizeof(hello), 0);
            hold(fd);
            connections++;
        }
    }
    for (unsigned i = 0; i < hold_max; i++) {
        struct message head;

        welcomes += held[i] > 0 && recv(held[i], &head, sizeof(head), MSG_PEEK) > 0 &&
                    head.type == MESSAGE_WELCOME;
    }
    printf("deaf: %lu connections, %lu unread welcomes\n", connections, welcomes);
}

/* Several processes that connect, say HELLO, and are gone: for so many ms. */
static void flood(const char *path, unsigned long msec)
{
    struct message_hello hello = make_hello();
    uint64_t end = clock_usec() + msec * USEC_PER_MSEC;
    unsigned long connections = 0;

    for (int i = 1; i < FLOOD_PROCESSES; i++) {
        if (fork() == 0) {
            break;
        }
    }
    while (clock_usec() < end) {
        int fd = open_socket(path);

        if (fd >= 0) {
            connections++;
            (void)send_with(fd, &hello, sizeof(hello), 0);
            (void)close(fd);
        }
    }
    printf("flood: %lu connections\n", connections);
    while (wait(NULL) > 0) {
    }
}

/* Whoever receives these messages, or drops them unread, closes what comes with them. */
static void linger(const char *path, unsigned long rounds)
{
    struct message_hello hello = make_hello();
    static const struct linger never;
    unsigned long sent = 0, refused = 0;

    for (; rounds > 0; rounds--) {
        int fd = open_socket(path);

        carried = lingering_socket();
        if (carried < 0) {
            die("no loopback network");
        }
        if (fd >= 0 && below(2)) {
            (void)send_with(fd, &hello, sizeof(hello), 0);
        }
        if (fd >= 0 && below(2)) {
            (void)send_with(fd, "", 0, 0);
        }
        if (fd >= 0 && send_with(fd, &hello, sizeof(hello), 1) >= 0) {
            sent++;
        } else {
            refused += fd >= 0 && errno == EPERM;
            (void)setsockopt(carried, SOL_SOCKET, SO_LINGER, &never, sizeof(never));
        }
        (void)close(carried);
        if (fd >= 0 && below(2)) {
            hold(fd);
        } else if (fd >= 0) {
            (void)close(fd);
        }
    }
    printf("linger: %lu messages, %lu refused by the kernel\n", sent, refused);
}

/* Wants the report, and does not read it. */
static void ask(const char *path, unsigned long rounds)
{
    struct message status = message_head(MESSAGE_STATUS, sizeof(status));
    unsigned long asked = 0;
    int fd = -1;

    for (; rounds > 0; rounds--) {
        if (fd < 0) {
            fd = open_socket(path);
        }
        if (fd >= 0 && send_with(fd, &status, sizeof(status), 0) >= 0) {
            asked++;
        } else if (fd >= 0) {
            (void)close(fd);
            fd = -1;
        }
    }
    printf("ask: %lu times\n", asked);
}

/* --- in a session --- */

struct session {
    int socket;
    int fds[SUBSCRIBER_FDS];
    struct message_welcome welcome;
    struct page *page;
};

static bool welcomed(struct session *session)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * SUBSCRIBER_FDS)];
    } control;
    struct iovec iov = {.iov_base = &session->welcome, .iov_len = sizeof(session->welcome)};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    struct pollfd ready = {.fd = session->socket, .events = POLLIN};

    if (poll(&ready, 1, PATIENCE_MSEC) <= 0 ||
        recvmsg(session->socket, &message, MSG_CMSG_CLOEXEC) != sizeof(session->welcome) ||
        session->welcome.head.type != MESSAGE_WELCOME) {
        return false;
    }
    memcpy(session->fds, CMSG_DATA(&control.header), sizeof(session->fds));
    session->page =
        mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, session->fds[PAGE_FD], 0);
    return session->page != MAP_FAILED;
}

static bool subscribe(const char *path, struct session *session)
{
    struct message_hello hello = make_hello();

    session->socket = open_socket(path);
    if (session->socket < 0) {
        return false;
    }
    if (send_with(session->socket, &hello, sizeof(hello), 0) < 0 || !welcomed(session)) {
        (void)close(session->socket);
        return false;
    }
    return true;
}

static void leave(struct session *session)
{
    (void)munmap(session->page, PAGE_SIZE);
    for (size_t i = 0; i < SUBSCRIBER_FDS; i++) {
        (void)close(session->fds[i]);
    }
    (void)close(session->socket);
}

static void ring(const struct session *session)
{
    (void)!write(session->fds[DAEMON_BELL_FD], "", 1);
}

/* What honest users do: come, acknowledge a record if there is one, and go. */
static void visit(const char *path, unsigned long rounds)
{
    unsigned long sessions = 0;

    for (; rounds > 0; rounds--) {
        struct session session;

        if (subscribe(path, &session)) {
            uint64_t first = session.welcome.first;

            sessions++;
            if (atomic_load(&session.page->published) >= first) { /* plain */
                atomic_store(&session.page->acknowledged, first);
                ring(&session);
            }
            leave(&session);
        }
    }
    printf("visit: %lu sessions\n", sessions);
}

/* Acknowledges what comes to its mind, until its session is ended. */
static void nonsense(const char *path, unsigned long rounds)
{
    unsigned long sessions = 0, claims = 0;

    for (; rounds > 0; rounds--) {
        struct session session;

        if (!subscribe(path, &session)) {
            continue;
        }
        sessions++;
        for (int i = 0; i < 64 && atomic_load(&session.page->state) == PAGE_ACTIVE; i++) {
            uint64_t claim = below(2) ? session.welcome.first + below(8) - 4
                                      : (uint64_t)random() << 33 ^ (uint64_t)random();

            atomic_store(&session.page->lost[claim % 2].lost, (uint64_t)random());
            atomic_store(&session.page->acknowledged, claim);
            ring(&session);
            claims++;
        }
        leave(&session);
    }
    printf("nonsense: %lu claims in %lu sessions\n", claims, sessions);
}

/* Rings, and its flags come and go. In a plain segment it acknowledges what there is, unread. */
static void bell(const char *path, unsigned long rounds)
{
    struct session session;

    if (!subscribe(path, &session)) {
        die("no session");
    }
    for (unsigned long i = 0; i < rounds; i++) {
        uint64_t published = atomic_load(&session.page->published);

        if (published >= session.welcome.first) {
            atomic_store(&session.page->acknowledged, published);
        }
        atomic_store(&session.page->client_sleeps, (uint32_t)random());
        atomic_store(&session.page->daemon_sleeps, (uint32_t)random());
        ring(&session);
    }
    printf("bell: rung %lu times; %s\n", rounds,
           atomic_load(&session.page->state) == PAGE_ACTIVE ? "active" : "ended");
}

/* There is room in neither for what is spliced: there it waits. */
static _Noreturn void splice_from(int bell)
{
    static const char bytes[MESSAGE_MAX];
    int sockets[2], ends[2];

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)fcntl(bell, F_SETFL, 0);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) < 0 || pipe2(ends, O_NONBLOCK) < 0) {
        die("splice");
    }
    while (send(sockets[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0 ||
           send(sockets[0], bytes, 1, MSG_DONTWAIT) > 0) {
    }
    while (write(ends[1], bytes, sizeof(bytes)) > 0) {
    }
    (void)fcntl(ends[1], F_SETFL, 0);
    (void)splice(bell, NULL, sockets[0], NULL, 1, 0); /* it is a pipe, which is locked meanwhile */
    (void)splice(bell, NULL, ends[1], NULL, 1, 0);
    die("splice");
}

static bool sleeps(pid_t pid)
{
    char path[32], line[64] = "", *state;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    state = file && fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
    if (file) {
        (void)fclose(file);
    }
    return state && state[2] == 'S';
}

/* A process of its is in the midst of reading its bell all the while: in a plain segment it is rung
 * so many times meanwhile, and then leaves. */
static void hold_bell(const char *path, unsigned long rounds)
{
    struct pollfd rung = {.events = POLLIN};
    struct session session;
    pid_t pid;

    start = MESSAGE_START_OLDEST;
    if (!subscribe(path, &session)) {
        die("no session");
    }
    rung.fd = session.fds[BELL_FD];
    for (unsigned long i = 0; i <= rounds; i++) {
        uint64_t published = atomic_load(&session.page->published);

        atomic_store(&session.page->client_sleeps, 1);
        atomic_store(&session.page->acknowledged, published);
        ring(&session);
        if (i == 0) {
            (void)poll(&rung, 1, PATIENCE_MSEC);
            pid = fork();
            if (pid == 0) {
                (void)close(session.socket);
                splice_from(session.fds[BELL_FD]);
            }
            while (!sleeps(pid)) {
                (void)usleep(USEC_PER_MSEC);
            }
        }
        while (i < rounds && atomic_load(&session.page->published) == published) {
            (void)usleep(USEC_PER_MSEC);
        }
    }
    (void)close(session.socket);
    rung.events = 0; /* until it hangs up */
    printf("hold-bell: rung %lu times, %s, %s\n", rounds,
           poll(&rung, 1, PATIENCE_MSEC) == 1 ? "hung up" : "still there",
           sleeps(pid) ? "held" : "let go");
    (void)kill(pid, SIGKILL);
}

static const char *outcome(int r)
{
    return r < 0 ? strerrorname_np(errno) : "done";
}

/* Takes its own memory away, in every way but to unmap it, and stays until it is thrown out. */
static void vanish(const char *path, unsigned long rounds)
{
    for (; rounds > 0; rounds--) {
        struct session session;
        struct pollfd gone = {.fd = -1};

        if (!subscribe(path, &session)) {
            die("no session");
        }
        printf("vanish: truncate %s,", outcome(ftruncate(session.fds[PAGE_FD], 1)));
        printf(" discard %s,", outcome(madvise(session.page, PAGE_SIZE, MADV_DONTNEED)));
        printf(" protect %s\n", outcome(mprotect(session.page, PAGE_SIZE, PROT_NONE)));
        gone.fd = session.socket;
        (void)poll(&gone, 1, PATIENCE_MSEC);
        leave(&session);
    }
}

/* Owes its first record until it is thrown out, and comes again. */
static void sloth(const char *path, unsigned long rounds)
{
    unsigned long sessions = 0;

    start = MESSAGE_START_OLDEST;
    for (; rounds > 0; rounds--) {
        struct session session;
        struct pollfd gone = {.fd = -1};

        if (subscribe(path, &session)) {
            sessions++;
            gone.fd = session.socket;
            (void)poll(&gone, 1, PATIENCE_MSEC);
            leave(&session);
        }
    }
    printf("sloth: %lu sessions\n", sessions);
}

/* --- at the segment --- */

/* Writes all over it, for so many ms. */
static void scribble(const char *path, unsigned long msec)
{
    uint64_t end = clock_usec() + msec * USEC_PER_MSEC;
    int id = shmget(KEY, 0, 0);
    char *segment = shmat(id, NULL, 0);
    unsigned long rounds = 0;
    struct shmid_ds stat;

    (void)path;
    if ((intptr_t)segment == -1 || shmctl(id, IPC_STAT, &stat) < 0) {
        die("segment");
    }
    for (; clock_usec() < end; rounds++) {
        memset(segment + 1, 'A' + (int)(rounds % 26), stat.shm_segsz - 1);
    }
    printf("scribble: %lu times\n", rounds);
}

/* Whatever only its owner may do. */
static void usurp(const char *path, unsigned long rounds)
{
    int id = shmget(KEY, 0, 0);
    struct shmid_ds stat;

    (void)path;
    (void)rounds;
    if (id < 0 || shmctl(id, IPC_STAT, &stat) < 0) {
        die("segment");
    }
    printf("usurp: remove %s,", outcome(shmctl(id, IPC_RMID, NULL)));
    stat.shm_perm.uid = getuid();
    stat.shm_perm.mode = 0777;
    printf(" own %s,", outcome(shmctl(id, IPC_SET, &stat)));
    printf(" lock %s,", outcome(shmctl(id, SHM_LOCK, NULL)));
    printf(" execute %s\n",
           outcome((intptr_t)shmat(id, NULL, SHM_RDONLY | SHM_EXEC) == -1 ? -1 : 0));
}

/* --- as somebody else --- */

/* What follows is done by a process that gets this process id: needs to be root, and the id free.
 */
static void as_pid(const char *path, unsigned long number)
{
    pid_t pid = (pid_t)number;
    struct clone_args arguments = {
        .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1};
    long child = syscall(SYS_clone3, &arguments, sizeof(arguments));

    (void)path;
    if (child < 0) {
        die("clone3");
    }
    if (child > 0) {
        int status;

        (void)waitpid((pid_t)child, &status, 0);
        exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
}

static void as_user(const char *path, unsigned long uid)
{
    (void)path;
    if (setresgid((gid_t)uid, (gid_t)uid, (gid_t)uid) < 0 ||
        setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) < 0) {
        die("setresuid");
    }
}

/* From its next session on, it dies when it has subscribed, and leaves the session to a child. */
static bool dying;

static void bequeath(const char *path, unsigned long rounds)
{
    (void)path;
    dying = rounds > 0;
}

/* Acknowledges its first record after so many ms, and stays for another while. */
static void acknowledge(const char *path, unsigned long msec)
{
    struct session session;

    start = MESSAGE_START_OLDEST;
    if (!subscribe(path, &session)) {
        die("no session");
    }
    printf("acknowledge: session %u of pid %d\n", session.welcome.session, (int)getpid());
    (void)fflush(stdout);
    if (dying && fork() > 0) {
        _exit(0);
    }
    (void)usleep((useconds_t)(msec * USEC_PER_MSEC));
    atomic_store(&session.page->acknowledged, session.welcome.first);
    ring(&session);
    (void)usleep(STAY_MSEC * USEC_PER_MSEC);
}

static const struct {
    const char *name;
    void (*act)(const char *path, unsigned long rounds);
} attacks[] = {
    {"fuzz", fuzz},
    {"bomb", bomb},
    {"half", half},
    {"mute", mute},
    {"ask", ask},
    {"deaf", deaf},
    {"flood", flood},
    {"nonsense", nonsense},
    {"visit", visit},
    {"bell", bell},
    {"hold-bell", hold_bell},
    {"vanish", vanish},
    {"sloth", sloth},
    {"linger", linger},
    {"scribble", scribble},
    {"usurp", usurp},
    {"as-pid", as_pid},
    {"as-user", as_user},
    {"bequeath", bequeath},
    {"acknowledge", acknowledge},
};

int main(int argc, char **argv)
{
    if (argc < 3) {
        (void)fputs("usage: attacker SOCKET ATTACK=ROUNDS...\n", stderr);
        return 1;
    }
    setlinebuf(stdout);
    for (int i = 2; i < argc; i++) {
        char *rounds = strchr(argv[i], '=');
        bool known = false;

        for (size_t j = 0; rounds && j < sizeof(attacks) / sizeof(attacks[0]); j++) {
            if (strncmp(attacks[j].name, argv[i], (size_t)(rounds - argv[i])) == 0 &&
                attacks[j].name[rounds - argv[i]] == '\0') {
                attacks[j].act(argv[1], strtoul(rounds + 1, NULL, 10));
                known = true;
            }
        }
        if (!known) {
            (void)fprintf(stderr, "attacker: no such attack: %s\n", argv[i]);
            return 1;
        }
    }
    return 0;
}
