/* SPDX-License-Identifier: MIT
 *
 * A client that speaks the protocol itself, from nothing but its headers: what a program in another
 * language would do, and what a hostile one could.
 *
 *      peer SOCKET ACTION[=ARGUMENT]…
 *
 * It connects and performs its actions in order; each says what came of it in a line on standard
 * output. The table at the end has them all. It exits with 1 when an action makes no sense, and
 * never because of what the daemon does: to judge that is the script's business.
 */
#include "base/clock.h"
#include "proto/message.h"
#include "proto/page.h"
#include "proto/reader.h"
#include "../descriptors.h"
#include "../patience.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SUBSCRIBER_FDS (MESSAGE_WELCOME_FDS - 1)
#define LOOK_MSEC      20 /* between two looks whether a file is there */

#define RINGS_MANY 100000 /* more than a bell holds */

enum { PAGE_FD, BELL_FD, DAEMON_BELL_FD };

struct peer {
    const char *path;
    int socket;
    int fds[SUBSCRIBER_FDS];
    enum message_start start;
    struct message_welcome welcome;
    struct page *page;
    const char *segment;
    struct ring_reader reader;
    uint64_t taken;   /* the last record that was taken */
    useconds_t pause; /* after each record */
    bool mute;        /* ringing the daemon would block */
};

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static const char *state_name(const struct peer *peer)
{
    static const char *const names[] = {"active", "evicted", "superseded", "closing"};
    uint32_t state = atomic_load(&peer->page->state);

    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "garbage";
}

static int open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        die(path);
    }
    return fd;
}

/* --- messages --- */

static struct message_hello make_hello(const struct peer *peer, const char *name)
{
    struct message_hello hello = {.head = message_head(MESSAGE_HELLO, sizeof(hello)),
                                  .role = MESSAGE_SUBSCRIBER,
                                  .start = peer->start};

    memcpy(hello.name, name, strnlen(name, sizeof(hello.name)));
    return hello;
}

static void send_bytes(struct peer *peer, const void *bytes, size_t length)
{
    if (send(peer->socket, bytes, length, MSG_NOSIGNAL) < 0) {
        printf("not sent: %s\n", strerrorname_np(errno));
    }
}

static void send_with_descriptor(struct peer *peer, const void *bytes, size_t length)
{
    if (!descriptor_send(peer->socket, bytes, length, STDIN_FILENO)) {
        printf("not sent: %s\n", strerrorname_np(errno));
    }
}

/* A HELLO that is wrong in one way, and others that are no message at all. */
static void do_send(struct peer *peer, const char *kind)
{
    static char huge[65536];
    struct message_hello hello = make_hello(peer, "peer");
    struct message status = message_head(MESSAGE_STATUS, sizeof(status));
    struct message_hello magic = hello, version = hello, type = hello, welcome = hello;
    struct message_hello size = hello, role = hello, start = hello, long_status = hello;
    const struct {
        const char *kind;
        const void *bytes;
        size_t length;
        bool with_descriptor;
    } messages[] = {
        {"hello", &hello, sizeof(hello), false},
        {"status", &status, sizeof(status), false},
        {"hello-with-descriptor", &hello, sizeof(hello), true},
        {"status-with-descriptor", &status, sizeof(status), true},
        {"empty", "", 0, false},
        {"one-byte", "x", 1, false},
        {"text", "GET / HTTP/1.1\r\n", 16, false},
        {"short", &hello, sizeof(hello) - 1, false},
        {"long", huge, sizeof(hello) + 8, false},
        {"huge", huge, sizeof(huge), false},
        {"magic", &magic, sizeof(hello), false},
        {"version", &version, sizeof(hello), false},
        {"type", &type, sizeof(hello), false},
        {"welcome", &welcome, sizeof(hello), false},
        {"size", &size, sizeof(hello), false},
        {"role", &role, sizeof(hello), false},
        {"start", &start, sizeof(hello), false},
        {"long-status", &long_status, sizeof(hello), false},
    };

    memcpy(huge, &hello, sizeof(hello));
    magic.head.magic ^= 1;
    version.head.version++;
    type.head.type = 99;
    welcome.head.type = MESSAGE_WELCOME;
    size.head.size--;
    role.role = 77;
    start.start = 77;
    long_status.head.type = MESSAGE_STATUS;
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        if (strcmp(messages[i].kind, kind) == 0) {
            (messages[i].with_descriptor ? send_with_descriptor
                                         : send_bytes)(peer, messages[i].bytes, messages[i].length);
            return;
        }
    }
    errno = EINVAL;
    die(kind);
}

static void map_all(struct peer *peer)
{
    const struct message_welcome *welcome = &peer->welcome;

    peer->page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, peer->fds[PAGE_FD], 0);
    peer->segment = shmat(welcome->segment_id, NULL, SHM_RDONLY);
    if (peer->page == MAP_FAILED || (intptr_t)peer->segment == -1) {
        die("welcome");
    }
    if (welcome->layout == MESSAGE_RING) {
        if (ring_attach(&peer->reader, peer->segment, welcome->segment_size) < 0) {
            die("ring");
        }
        ring_reader_go(&peer->reader, welcome->position);
    }
    peer->reader.number = welcome->first;
    peer->taken = welcome->first - 1;
}

/* Receives one message, whatever it is. */
static void do_answer(struct peer *peer, const char *argument)
{
    static char buffer[MESSAGE_REPORT_MAX + sizeof(struct message) + 1];
    const struct message_refused *refused = (void *)buffer;
    const struct message_welcome *welcome = (void *)buffer;
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * SUBSCRIBER_FDS)];
    } control;
    struct iovec iov = {.iov_base = buffer, .iov_len = sizeof(buffer) - 1};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    struct pollfd ready = {.fd = peer->socket, .events = POLLIN};
    ssize_t length;

    (void)argument;
    if (poll(&ready, 1, PATIENCE_MSEC) == 0) {
        puts("no answer");
        return;
    }
    length = recvmsg(peer->socket, &message, MSG_CMSG_CLOEXEC);
    if (length <= 0) {
        printf("closed%s%s\n", length < 0 ? ": " : "", length < 0 ? strerrorname_np(errno) : "");
    } else if (message_is(buffer, (size_t)length, MESSAGE_REFUSED, sizeof(*refused))) {
        printf("refused %s: %s\n", strerrorname_np(-refused->error), refused->text);
    } else if (message_is(buffer, (size_t)length, MESSAGE_REPORT, (size_t)length)) {
        buffer[length] = '\0';
        puts(buffer + sizeof(struct message));
    } else if (message_is(buffer, (size_t)length, MESSAGE_WELCOME, sizeof(*welcome)) &&
               control.header.cmsg_len == CMSG_LEN(sizeof(peer->fds))) {
        peer->welcome = *welcome;
        memcpy(peer->fds, CMSG_DATA(&control.header), sizeof(peer->fds));
        printf("welcome layout %u key 0x%08x segment %d size %llu first %llu session %u\n",
               welcome->layout, welcome->key, welcome->segment_id,
               (unsigned long long)welcome->segment_size, (unsigned long long)welcome->first,
               welcome->session);
        map_all(peer);
    } else {
        puts("nonsense");
    }
}

static void do_hello(struct peer *peer, const char *name)
{
    struct message_hello hello = make_hello(peer, name);

    send_bytes(peer, &hello, sizeof(hello));
    do_answer(peer, "");
}

static void do_next(struct peer *peer, const char *argument)
{
    (void)argument;
    peer->start = MESSAGE_START_NEXT;
}

static void do_status(struct peer *peer, const char *argument)
{
    (void)argument;
    do_send(peer, "status");
    do_answer(peer, "");
}

/* Other connections that say nothing, or that subscribe and acknowledge nothing. */
static void do_silent(struct peer *peer, const char *count)
{
    for (int i = atoi(count); i > 0; i--) {
        (void)open_socket(peer->path);
    }
    printf("%s connections\n", count);
}

static void do_crowd(struct peer *peer, const char *count)
{
    struct peer other = *peer;

    for (int i = atoi(count); i > 0; i--) {
        other.socket = open_socket(peer->path);
        do_hello(&other, "crowd");
    }
    printf("a crowd of %s\n", count);
}

/* --- records --- */

static void ring_daemon(const struct peer *peer)
{
    if (page_must_ring(&peer->page->daemon_sleeps) && !peer->mute) {
        (void)!write(peer->fds[DAEMON_BELL_FD], "", 1);
    }
}

static void acknowledge(struct peer *peer, uint64_t number)
{
    atomic_store(&peer->page->acknowledged, number);
    ring_daemon(peer);
}

static void judge(const struct peer *peer, uint64_t number, const char *bytes, size_t length)
{
    if (number != peer->taken + 1) {
        printf("record %llu after %llu\n", (unsigned long long)number,
               (unsigned long long)peer->taken);
    }
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != (char)('a' + i % 26)) {
            printf("record %llu is torn\n", (unsigned long long)number);
            break;
        }
    }
}

/* Takes the next record if there is one. */
static bool take_one(struct peer *peer)
{
    const struct ring_record *record;
    uint64_t number;

    if (peer->welcome.layout == MESSAGE_RING) {
        if (ring_look(&peer->reader, &record) != RING_RECORD) {
            return false;
        }
        number = peer->reader.number;
        judge(peer, number, record->bytes, record->length);
        ring_advance(&peer->reader, record->length);
    } else {
        number = atomic_load(&peer->page->published);
        if (number <= peer->taken) {
            return false;
        }
        judge(peer, number, peer->segment, peer->page->length);
    }
    peer->taken = number;
    return true;
}

/* Sleeps until the doorbell rings; false if it hangs up. */
static bool doze(struct peer *peer)
{
    struct pollfd bell = {.fd = peer->fds[BELL_FD], .events = POLLIN};
    struct peer look = *peer;
    char rings[256];

    page_announce_sleep(&peer->page->client_sleeps);
    if (atomic_load(&peer->page->state) == PAGE_ACTIVE && !take_one(&look)) {
        (void)poll(&bell, 1, LOOK_MSEC);
    }
    page_announce_awake(&peer->page->client_sleeps);
    return !(bell.revents & POLLIN) || read(bell.fd, rings, sizeof(rings)) != 0;
}

/* Takes and acknowledges records, as an honest subscriber does: `count` of them, or until a file is
 * there, or until its session ends. */
static void follow(struct peer *peer, uint64_t count, const char *file)
{
    uint64_t first = peer->taken + 1;
    uint64_t last = clock_usec(), longest = 0;
    bool connected = true;

    while (connected && atomic_load(&peer->page->state) == PAGE_ACTIVE &&
           peer->taken + 1 - first < count) {
        uint64_t now;

        if (!take_one(peer)) {
            if (file && access(file, F_OK) == 0) {
                break;
            }
            connected = doze(peer);
            continue;
        }
        now = clock_usec();
        longest = now - last > longest ? now - last : longest;
        last = now;
        acknowledge(peer, peer->taken);
        if (peer->pause) {
            (void)usleep(peer->pause);
        }
        if (file && peer->taken % 64 == 0 && access(file, F_OK) == 0) {
            break;
        }
    }
    printf("took %llu records, from %llu; longest gap %llu ms; %s\n",
           (unsigned long long)(peer->taken + 1 - first), (unsigned long long)first,
           (unsigned long long)(longest / USEC_PER_MSEC), state_name(peer));
}

static void do_take(struct peer *peer, const char *count)
{
    follow(peer, strtoull(count, NULL, 10), NULL);
}

static void do_follow(struct peer *peer, const char *file)
{
    follow(peer, UINT64_MAX, file);
}

static void do_slowly(struct peer *peer, const char *usec)
{
    peer->pause = (useconds_t)atoi(usec);
}

/* --- what it does besides --- */

/* Acknowledges a number, whatever it is; +N: that many beyond what it has taken. */
static void do_claim(struct peer *peer, const char *number)
{
    uint64_t claim = strtoull(number, NULL, 10);

    acknowledge(peer, *number == '+' ? peer->taken + claim : claim);
    printf("claimed %s\n", number);
}

/* The flags come and go, and the bell rings, whatever happens. Takes no record. */
static void do_flicker(struct peer *peer, const char *rounds)
{
    for (int i = atoi(rounds); i > 0; i--) {
        atomic_store(&peer->page->client_sleeps, (uint32_t)rand());
        atomic_store(&peer->page->daemon_sleeps, (uint32_t)rand());
        if (write(peer->fds[DAEMON_BELL_FD], "", 1) < 0 && errno != EAGAIN) {
            die("bell");
        }
    }
    atomic_store(&peer->page->client_sleeps, 0);
    puts("flickered");
}

/* Clears O_NONBLOCK on all that it got, and fills the daemon's doorbell. */
static void do_block(struct peer *peer, const char *argument)
{
    (void)argument;
    for (int i = 0; i < RINGS_MANY && write(peer->fds[DAEMON_BELL_FD], "", 1) > 0; i++) {
    }
    for (size_t i = 0; i < SUBSCRIBER_FDS; i++) {
        if (fcntl(peer->fds[i], F_SETFL, 0) < 0 || fcntl(peer->fds[i], F_GETFL) & O_NONBLOCK) {
            die("O_NONBLOCK");
        }
    }
    peer->mute = true;
    puts("bell filled");
}

/* Takes records, says all the time that it sleeps, and never looks at its bell. */
static void do_deaf(struct peer *peer, const char *count)
{
    uint64_t end = peer->taken + strtoull(count, NULL, 10);
    int queued = 0;

    atomic_store(&peer->page->client_sleeps, 1);
    while (peer->taken < end && atomic_load(&peer->page->state) == PAGE_ACTIVE) {
        if (take_one(peer)) {
            acknowledge(peer, peer->taken);
        } else {
            (void)usleep(10);
        }
    }
    (void)ioctl(peer->fds[BELL_FD], FIONREAD, &queued);
    printf("deaf to %d rings; %s\n", queued, state_name(peer));
}

static void do_close_bell(struct peer *peer, const char *argument)
{
    (void)argument;
    (void)close(peer->fds[BELL_FD]);
    atomic_store(&peer->page->client_sleeps, 1);
    puts("bell closed");
}

static void say_result(const char *what, int r)
{
    printf("%s: %s\n", what, r < 0 ? strerrorname_np(errno) : "done");
}

/* What would pull the page away under the daemon's feet. */
static void do_resize(struct peer *peer, const char *argument)
{
    int fd = peer->fds[PAGE_FD];

    (void)argument;
    say_result("shrink", ftruncate(fd, 0));
    say_result("grow", ftruncate(fd, (off_t)2 * PAGE_SIZE));
    say_result("seal", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
}

static void do_punch(struct peer *peer, const char *argument)
{
    (void)argument;
    say_result("punch", fallocate(peer->fds[PAGE_FD], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                                  PAGE_SIZE));
    ring_daemon(peer);
}

/* Writes into the lines that are the daemon's; "all": into its own, too. */
static void do_garbage(struct peer *peer, const char *where)
{
    memset(peer->page, 0xff,
           strcmp(where, "all") == 0 ? PAGE_SIZE : offsetof(struct page, acknowledged));
    ring_daemon(peer);
    puts("garbage written");
}

static void do_unmap(struct peer *peer, const char *argument)
{
    (void)argument;
    (void)munmap(peer->page, PAGE_SIZE);
    (void)shmdt(peer->segment);
    peer->page = NULL;
    puts("unmapped");
}

static void do_attach_for_writing(struct peer *peer, const char *argument)
{
    const void *memory = shmat(peer->welcome.segment_id, NULL, 0);

    (void)argument;
    say_result("attach for writing", (intptr_t)memory == -1 ? -1 : 0);
    say_result("make writable",
               mprotect((void *)(uintptr_t)peer->segment, PAGE_SIZE, PROT_READ | PROT_WRITE));
}

/* Until the daemon closes the connection. */
static void do_ended(struct peer *peer, const char *argument)
{
    struct pollfd hung_up = {.fd = peer->socket};

    (void)argument;
    if (poll(&hung_up, 1, PATIENCE_MSEC) == 0) {
        puts("still connected");
    } else {
        printf("ended: %s\n", peer->page ? state_name(peer) : "no page");
    }
}

static void do_stop(struct peer *peer, const char *argument)
{
    (void)peer;
    (void)argument;
    (void)raise(SIGSTOP);
    puts("continued");
}

/* Their WELCOMEs stay where they are; the second message ends the session. */
static void do_unheard(struct peer *peer, const char *count)
{
    struct message_hello hello = make_hello(peer, "unheard");
    struct peer other = *peer;

    for (int i = atoi(count); i > 0; i--) {
        other.socket = open_socket(peer->path);
        send_bytes(&other, &hello, sizeof(hello));
        send_bytes(&other, &hello, sizeof(hello));
    }
    printf("unheard: %s\n", count);
}

static void do_await(struct peer *peer, const char *file)
{
    (void)peer;
    while (access(file, F_OK) != 0) {
        (void)usleep(LOOK_MSEC * 1000);
    }
}

static const struct {
    const char *name;
    void (*act)(struct peer *peer, const char *argument);
    bool in_session;
} actions[] = {
    {"next", do_next, false},       /* subscribe to what comes, not to what is there */
    {"hello", do_hello, false},     /* =NAME: subscribe */
    {"status", do_status, false},   /* ask for the report */
    {"send", do_send, false},       /* =KIND: a message that is none */
    {"answer", do_answer, false},   /* receive one message */
    {"silent", do_silent, false},   /* =N: more connections, which say nothing */
    {"crowd", do_crowd, false},     /* =N: more subscribers, which do nothing */
    {"unheard", do_unheard, false}, /* =N: more subscribers, which do not read their WELCOME */
    {"ended", do_ended, false},     /* wait for the end of the connection */
    {"stop", do_stop, false},       /* SIGSTOP */
    {"await", do_await, false},     /* =FILE: wait until that is there */
    {"slowly", do_slowly, false},   /* =USEC: a pause after each record */
    {"take", do_take, true},        /* =N: records, each acknowledged */
    {"follow", do_follow, true},    /* =FILE: records, until that is there */
    {"claim", do_claim, true},      /* =N or =+N: acknowledge that */
    {"flicker", do_flicker, true},  /* =N: flags that change all the time */
    {"block", do_block, true},      /* no O_NONBLOCK, no room in the bell */
    {"deaf", do_deaf, true},        /* =N: records, without ever listening to the bell */
    {"close-bell", do_close_bell, true},
    {"resize", do_resize, true},
    {"punch", do_punch, true},
    {"garbage", do_garbage, true}, /* or =all */
    {"unmap", do_unmap, true},
    {"attach-for-writing", do_attach_for_writing, true},
};

static void act(struct peer *peer, const char *text)
{
    size_t length = strcspn(text, "=");

    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strlen(actions[i].name) != length || strncmp(actions[i].name, text, length) != 0) {
            continue;
        }
        if (actions[i].in_session && !peer->page) {
            printf("no session: %s\n", text);
        } else {
            actions[i].act(peer, text[length] ? text + length + 1 : "");
        }
        return;
    }
    errno = EINVAL;
    die(text);
}

int main(int argc, char **argv)
{
    struct peer peer = {.start = MESSAGE_START_OLDEST};

    if (argc < 2) {
        (void)fputs("usage: peer SOCKET ACTION[=ARGUMENT]...\n", stderr);
        return 1;
    }
    setlinebuf(stdout);
    peer.path = argv[1];
    peer.socket = open_socket(peer.path);
    for (int i = 2; i < argc; i++) {
        act(&peer, argv[i]);
    }
    return 0;
}
