/* SPDX-License-Identifier: MIT
 *
 * Whatever clients say on the socket, of any length, in any order and with descriptors attached:
 * each message is answered or ends its session, an answer is one of those that there are, and in
 * the end nothing is left, no session and no descriptor.
 *
 * The script: some clients connect, talk and leave; the owner of the sessions is played here.
 */
#include "fuzz.h"

#include "../unit/peer.h"
#include "base/clock.h"
#include "daemon/sessions.h"

#include <ctype.h>
#include <dirent.h>

#define PEERS    5
#define SESSIONS (PEERS - 1)
#define REPORT   "{}"
#define LONGEST  (2 * sizeof(struct message_hello))
#define MANY     90 /* connections at once, which the daemon does not slow down */

enum step {
    STEP_CONNECT,
    STEP_HELLO,
    STEP_STATUS,
    STEP_SAY,
    STEP_ATTACH,
    STEP_HANG_UP,
    STEP_OWNER,
    STEP_LEAVE,
    STEPS,
};

struct scene {
    sd_event *event;
    struct sessions *sessions;
    struct sockaddr_un address;
    socklen_t address_length;
    struct peer peers[PEERS];
    bool subscribed[PEERS];
    int hello_error; /* what the owner says to a HELLO */
    uint32_t last_id;
    size_t connected, ended;
    uint64_t begun_usec;
};

/* --- the owner of the sessions --- */

static int on_hello(void *userdata, struct session *session, const struct message_hello *hello,
                    struct message_welcome *welcome)
{
    const struct scene *scene = userdata;

    (void)welcome;
    session->first = hello->after + 1;
    return scene->hello_error;
}

static void on_joined(void *userdata, struct session *session)
{
    const char *name = session->identity.name;

    (void)userdata;
    assert(memchr(name, '\0', ACK_NAME_SIZE));
    for (; *name; name++) {
        assert(isgraph((unsigned char)*name) && !(*name & 0x80));
    }
}

static void on_ended(void *userdata, struct session *session, enum session_reason reason, int error)
{
    struct scene *scene = userdata;

    (void)session;
    assert((reason == SESSION_REFUSED) == (error < 0));
    scene->ended++;
}

static char *on_report(void *userdata, const struct session *session)
{
    (void)userdata;
    (void)session;
    return strdup(REPORT);
}

/* Any address that is free, in no directory. */
static int listen_anywhere(struct scene *scene)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    scene->address = (struct sockaddr_un){.sun_family = AF_UNIX};
    scene->address_length = sizeof(scene->address);
    assert(bind(fd, (struct sockaddr *)&scene->address, sizeof(sa_family_t)) == 0);
    assert(listen(fd, PEERS) == 0);
    assert(getsockname(fd, (struct sockaddr *)&scene->address, &scene->address_length) == 0);
    return fd;
}

static void set_up(struct scene *scene)
{
    static const struct access everybody = {.everybody = true};
    struct sessions_hooks hooks = {
        .hello = on_hello,
        .joined = on_joined,
        .ended = on_ended,
        .report = on_report,
        .userdata = scene,
    };
    struct sessions_limits limits = {SESSIONS, SESSIONS, &everybody, &everybody};

    for (size_t i = 0; i < PEERS; i++) {
        scene->peers[i] = PEER_NONE;
    }
    assert(sd_event_new(&scene->event) == 0);
    assert(sessions_new(scene->event, listen_anywhere(scene), NULL, &hooks, &scene->last_id,
                        &scene->sessions) == 0);
    sessions_configure(scene->sessions, &limits);
}

/* --- the clients --- */

/* On a machine that stood still, a session may have ended because its client was silent. */
static bool in_time(const struct scene *scene)
{
    return clock_usec() - scene->begun_usec < SESSION_HELLO_USEC / 2;
}

static void leave(struct scene *scene, size_t i)
{
    peer_leave(&scene->peers[i]);
    scene->subscribed[i] = false;
    run_loop(scene->event);
}

/* Takes all that was said to a client: how many messages; what they are follows from `asked`. */
static size_t hear(struct scene *scene, size_t i, enum message_type asked, bool *ret_dropped)
{
    _Alignas(struct message) char buffer[sizeof(struct message_refused) + 1];
    struct peer *peer = &scene->peers[i];
    size_t count = 0;
    ssize_t length;

    while ((length = peer_hear(peer, buffer, sizeof(buffer))) > 0) {
        size_t size = (size_t)length;

        if (message_is(buffer, size, MESSAGE_WELCOME, sizeof(struct message_welcome))) {
            assert(asked == MESSAGE_HELLO && !scene->subscribed[i]);
            assert(peer->fds[0] >= 0 && peer->fds[1] >= 0 && peer->fds[2] >= 0);
            scene->subscribed[i] = true;
        } else if (asked == MESSAGE_STATUS) {
            assert(
                message_is(buffer, size, MESSAGE_REPORT, sizeof(struct message) + strlen(REPORT)));
        } else {
            assert(message_is(buffer, size, MESSAGE_REFUSED, sizeof(struct message_refused)));
        }
        count++;
    }
    *ret_dropped = length == 0 || length == -ECONNRESET;
    return count;
}

static void come(struct scene *scene, size_t i)
{
    struct peer *peer = &scene->peers[i];
    bool dropped;
    size_t answers;

    peer->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert(connect(peer->socket, (struct sockaddr *)&scene->address, scene->address_length) == 0);
    scene->connected++;
    run_loop(scene->event);
    answers = hear(scene, i, 0, &dropped);
    assert(answers == dropped || !in_time(scene)); /* refused, or waited for */
    if (dropped) {
        leave(scene, i);
    }
}

/* What the message is that was said, 0 if none. */
static enum message_type what_is(const char *bytes, size_t length)
{
    if (message_is(bytes, length, MESSAGE_STATUS, sizeof(struct message))) {
        return MESSAGE_STATUS;
    }
    return message_is(bytes, length, MESSAGE_HELLO, sizeof(struct message_hello)) ? MESSAGE_HELLO
                                                                                  : 0;
}

/* Says it, with a descriptor perhaps, and judges what comes of it. */
static void say(struct scene *scene, size_t i, const char *bytes, size_t length, bool attach)
{
    enum message_type asked = attach ? 0 : what_is(bytes, length);
    bool was_subscribed = scene->subscribed[i];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    size_t answers;
    bool dropped;

    if (attach) {
        memcpy(CMSG_DATA(&control.header), &scene->peers[i].socket, sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
    }
    if (sendmsg(scene->peers[i].socket, &message, MSG_NOSIGNAL) < 0) {
        leave(scene, i); /* it was dropped, or has hung up */
        return;
    }
    run_loop(scene->event);
    answers = hear(scene, i, asked, &dropped);
    if (!in_time(scene)) {
        leave(scene, i);
        return;
    }
    if (asked == MESSAGE_STATUS) {
        assert(answers == 1 && !dropped);
    } else if (asked == MESSAGE_HELLO && !was_subscribed) {
        assert(answers == 1 && dropped == !scene->subscribed[i]);
    } else {
        assert(answers == 0 && dropped);
    }
    if (dropped) {
        leave(scene, i);
    }
}

static void play(struct scene *scene, struct input *input)
{
    enum step step = (enum step)(input_number(input, 1) % STEPS);
    size_t i = input_number(input, 1) % PEERS;
    const struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);
    const struct message status = message_head(MESSAGE_STATUS, sizeof(status));
    _Alignas(struct message_hello) char bytes[LONGEST] = {0};
    const uint8_t *given;
    size_t length;

    if (step == STEP_OWNER) {
        scene->hello_error = -(int)(input_number(input, 1) % 4);
        return;
    }
    if (scene->peers[i].socket < 0 && scene->connected < MANY) {
        come(scene, i);
    }
    if (scene->peers[i].socket < 0) {
        return; /* there are too many, or have been */
    }
    switch (step) {
    case STEP_HELLO:
    case STEP_ATTACH:
        memcpy(bytes, &hello, sizeof(hello));
        if (input_number(input, 1) % 2) {
            input_patch(input, bytes, sizeof(hello));
        }
        length = (sizeof(hello) + input_number(input, 1)) % LONGEST;
        say(scene, i, bytes, length, step == STEP_ATTACH);
        break;
    case STEP_STATUS:
        memcpy(bytes, &status, sizeof(status));
        if (input_number(input, 1) % 2) {
            input_patch(input, bytes, sizeof(status));
        }
        say(scene, i, bytes, sizeof(status), false);
        break;
    case STEP_SAY:
        length = input_bytes(input, &given);
        memcpy(bytes, given, length < LONGEST ? length : LONGEST);
        say(scene, i, bytes, length < LONGEST ? length : LONGEST, false);
        break;
    case STEP_HANG_UP:
        (void)shutdown(scene->peers[i].socket, SHUT_WR);
        run_loop(scene->event);
        break;
    case STEP_LEAVE:
        leave(scene, i);
        break;
    default:
        break;
    }
}

static size_t descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;

    while (directory && readdir(directory)) {
        count++;
    }
    (void)closedir(directory);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct input input = {bytes, length};
    struct scene scene = {.begun_usec = clock_usec()};
    size_t before = descriptors();

    set_up(&scene);
    while (input.left > 0) {
        play(&scene, &input);
        assert(scene.sessions->count <= SESSIONS);
        assert(sessions_count(scene.sessions, MESSAGE_SUBSCRIBER) <= scene.sessions->count);
    }
    for (size_t i = 0; i < PEERS; i++) {
        leave(&scene, i);
    }
    assert(scene.sessions->count == 0 && scene.ended == scene.connected);
    (void)sessions_free(scene.sessions);
    (void)sd_event_unref(scene.event);
    assert(descriptors() == before);
    return 0;
}
