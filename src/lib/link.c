/* SPDX-License-Identifier: MIT */
#include "lib/link.h"
#include "base/cleanup.h"
#include "base/sealed.h"
#include "lib/attach.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>

#define CONNECT_TRIES 5

void link_close(struct link *link)
{
    if (link->segment) {
        (void)shmdt(link->segment);
    }
    if (link->queue) {
        (void)munmap(link->queue, link->welcome.segment_size);
    }
    if (link->page) {
        (void)munmap(link->page, PAGE_SIZE);
    }
    (void)fd_close(link->doorbell);
    (void)fd_close(link->daemon_doorbell);
    (void)connection_close(link->socket);
    /* What the last WELCOME said remains what is known. */
    *link = (struct link){
        .socket = -1, .doorbell = -1, .daemon_doorbell = -1, .welcome = link->welcome};
}

bool link_lives(struct link *link)
{
    char byte;

    link->generation =
        link->segment && link_is_ring(link)
            ? atomic_load_explicit(&link->reader.header->generation, memory_order_acquire)
            : 0;
    /* The daemon says nothing in a session; only its end could be read. */
    return recv(link->socket, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void link_close_cleanup(struct link *link)
{
    link_close(link);
}

/*
 * Is it the daemon's segment? In another IPC namespace, the same number is somebody else's, or
 * nobody's. Looked at before a byte is read there. -EXDEV: it is not.
 */
static int check_segment(const struct link *link)
{
    const struct message_welcome *welcome = &link->welcome;
    struct ucred peer; /* who listens there; root: that may be systemd, in the daemon's place */
    socklen_t length = sizeof(peer);
    struct shmid_ds ds;

    if (getsockopt(link->socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
        return -errno;
    }
    if (shmctl(welcome->segment_id, IPC_STAT, &ds) < 0) {
        return errno == EINVAL || errno == EIDRM ? -EXDEV : -errno;
    }
    if (((uint32_t)ds.shm_perm.__key != welcome->key && !(ds.shm_perm.mode & SHM_DEST)) ||
        ds.shm_segsz != welcome->segment_size || (peer.uid != 0 && ds.shm_perm.cuid != peer.uid) ||
        (!link_is_ring(link) && (uint64_t)ds.shm_ctime != welcome->position)) {
        return -EXDEV;
    }
    return 0;
}

/* Attaches the segment that the WELCOME names. */
static int attach_segment(struct link *link)
{
    void *segment;
    int r = check_segment(link);

    if (r < 0) {
        return r;
    }
    segment = attach_alone(link->welcome.segment_id, link->welcome.segment_size, SHM_RDONLY);
    if (segment == (void *)-1) {
        return errno == EINVAL || errno == EIDRM ? -EXDEV : -errno;
    }
    link->segment = segment;
    if (!link_is_ring(link)) {
        return 0;
    }
    r = ring_attach(&link->reader, segment, link->welcome.segment_size);
    if (r < 0 ||
        memcmp(link->reader.header->epoch, link->welcome.epoch, sizeof(link->welcome.epoch)) != 0) {
        return -EXDEV; /* a ring begins with its epoch, whoever may have made it */
    }
    ring_reader_go(&link->reader, link->welcome.position);
    link->reader.number = link->welcome.first;
    link->generation = atomic_load_explicit(&link->reader.header->generation, memory_order_acquire);
    return 0;
}

/* What the WELCOME has named is known even if nothing comes of it. */
static int link_try(const struct shmd_options *options, const struct message_hello *hello,
                    struct message_welcome *ret_named, struct link *ret)
{
    CLEANUP(link_close_cleanup) struct link link = LINK_CLOSED;
    int fds[MESSAGE_WELCOME_FDS];
    void *page = NULL;
    int r = connection_open(options, &link.socket);

    if (r == 0) {
        r = connection_hello(link.socket, hello, &link.welcome, fds);
    }
    if (r < 0) {
        return r;
    }
    *ret_named = link.welcome;
    link.doorbell = fds[1];
    link.daemon_doorbell = fds[2];
    r = sealed_map(fds[0], PAGE_SIZE, &page);
    link.page = page;
    if (r == 0) {
        r = hello->role == MESSAGE_PUBLISHER
                ? sealed_map(fds[3], link.welcome.segment_size, &link.queue)
                : attach_segment(&link);
    }
    (void)fd_close(fds[0]);
    (void)fd_close(fds[3]);
    if (r < 0) {
        return r;
    }
    *ret = link;
    link = LINK_CLOSED;
    return 0;
}

static bool is_same_segment(const struct message_welcome *a, const struct message_welcome *b)
{
    return a->segment_id == b->segment_id && memcmp(a->epoch, b->epoch, sizeof(a->epoch)) == 0;
}

/*
 * A daemon that is killed meanwhile has a successor to be asked. And the segment may be replaced
 * between the WELCOME and the look at it, as often as it likes: only one that is named again is
 * elsewhere.
 */
int link_open(const struct shmd_options *options, const struct message_hello *hello,
              struct link *ret)
{
    struct message_welcome missed = {.segment_id = -1};
    int r = -ECONNRESET;

    for (int i = 0; i < CONNECT_TRIES && (r == -ECONNRESET || r == -EPIPE); i++) {
        struct message_welcome named = {.segment_id = -1};

        r = link_try(options, hello, &named, ret);
        if (r == -EXDEV && !is_same_segment(&named, &missed)) {
            missed = named;
            r = -ECONNRESET;
        }
    }
    return r;
}
