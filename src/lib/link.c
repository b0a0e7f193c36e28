/* SPDX-License-Identifier: MIT */
#include "lib/link.h"
#include "base/cleanup.h"
#include "base/sealed.h"

#include <errno.h>
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
    (void)fd_close(link->socket);
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

/* Attaches the segment that the WELCOME names. */
static int attach_segment(struct link *link)
{
    void *segment;
    int r;

    segment = shmat(link->welcome.segment_id, NULL, SHM_RDONLY);
    if (segment == (void *)-1) {
        return errno == EINVAL || errno == EIDRM ? -EAGAIN : -errno;
    }
    link->segment = segment;
    if (!link_is_ring(link)) {
        return 0;
    }
    r = ring_attach(&link->reader, segment, link->welcome.segment_size);
    if (r < 0) {
        return r;
    }
    ring_reader_go(&link->reader, link->welcome.position);
    link->reader.number = link->welcome.first;
    link->generation = atomic_load_explicit(&link->reader.header->generation, memory_order_acquire);
    return 0;
}

/* Connects and is welcome; a daemon that is killed meanwhile has a successor to be asked. */
static int link_connect(const struct shmd_options *options, const struct message_hello *hello,
                        struct link *link, int ret_fds[MESSAGE_WELCOME_FDS])
{
    int r = -ECONNRESET;

    for (int i = 0; i < CONNECT_TRIES && (r == -ECONNRESET || r == -EPIPE); i++) {
        link->socket = fd_close(link->socket);
        r = connection_open(options, &link->socket);
        if (r == 0) {
            r = connection_hello(link->socket, hello, &link->welcome, ret_fds);
        }
    }
    return r;
}

int link_open(const struct shmd_options *options, const struct message_hello *hello,
              struct link *ret)
{
    CLEANUP(link_close_cleanup) struct link link = LINK_CLOSED;
    int fds[MESSAGE_WELCOME_FDS];
    void *page = NULL;
    int r = link_connect(options, hello, &link, fds);

    if (r < 0) {
        return r;
    }
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
