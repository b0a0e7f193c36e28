/* SPDX-License-Identifier: MIT */
#include "daemon/session.h"
#include "base/sealed.h"
#include "daemon/access.h"
#include "daemon/parting.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#define RINGS_BYTES 1  /* of rings that nobody hears: as few as the kernel lets us keep */
#define RINGS_HEARD 16 /* at once */

void session_restore(struct session *session)
{
    void *page = NULL, *queue = NULL;
    size_t size = sealed_size(session->queue_fd);

    if (sealed_map(session->page_fd, PAGE_SIZE, &page) < 0) {
        return;
    }
    if (session->role == MESSAGE_PUBLISHER &&
        (size < QUEUE_SIZE_MIN || sealed_map(session->queue_fd, size, &queue) < 0)) {
        (void)munmap(page, PAGE_SIZE);
        return;
    }
    session->page = page;
    session->is_kept = true;
    session->page_fd = fd_close(session->page_fd);
    if (queue) {
        session->queue =
            queue_reader(queue, size, session->cursor->position, session->cursor->published + 1);
        session->queue_size = size;
        session->queue_fd = fd_close(session->queue_fd);
    }
}

int session_ask_groups(struct session *session)
{
    gid_t *fewer;
    int r = session->groups ? 0
                            : access_groups(session->socket, session->identity.gid,
                                            &session->groups, &session->groups_count);

    /* What was asked for had room for the most that there may be. */
    fewer = r == 0 ? realloc(session->groups, sizeof(gid_t) * session->groups_count) : NULL;
    session->groups = fewer ? fewer : session->groups;
    return r;
}

void session_forget_groups(struct session *session)
{
    free(session->groups);
    session->groups = NULL;
    session->groups_count = 0;
}

int session_equip(struct session *session)
{
    void *page;
    int r = sealed_new("shmd-page", PAGE_SIZE, &session->page_fd, &page);

    session->page = r < 0 ? NULL : page;
    return r;
}

int session_equip_queue(struct session *session, size_t longest, const uint8_t epoch[16])
{
    size_t size = queue_size(longest);
    void *queue;
    int r = sealed_new("shmd-queue", size, &session->queue_fd, &queue);

    if (r < 0) {
        return r;
    }
    queue_format(queue, size, epoch, session->first);
    session->queue = queue_reader(queue, size, 0, session->first);
    session->queue_size = size;
    session->longest = longest;
    return 0;
}

static int pair_new(int type, int *ret_ours, int *ret_theirs)
{
    int pair[2];

    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        return -errno;
    }
    *ret_ours = pair[0];
    *ret_theirs = pair[1];
    return 0;
}

int session_share(struct session *session, int ret_fds[MESSAGE_WELCOME_FDS])
{
    static const int few = RINGS_BYTES;
    int r = pair_new(SOCK_STREAM, &session->client_doorbell, &ret_fds[1]);

    if (r < 0) {
        return r;
    }
    r = pair_new(SOCK_DGRAM, &session->doorbell, &ret_fds[2]);
    if (r < 0) {
        (void)fd_close(ret_fds[1]);
        return r;
    }
    /* The client can leave nothing in the one, and in the other, where the kernel knows that, no
     * descriptors. */
    (void)shutdown(session->client_doorbell, SHUT_RD);
    (void)setsockopt(session->client_doorbell, SOL_SOCKET, SO_SNDBUF, &few, sizeof(few));
    socket_refuse_descriptors(session->doorbell);
    ret_fds[0] = session->page_fd;
    ret_fds[3] = session->queue_fd;
    return session->role == MESSAGE_PUBLISHER ? 4 : 3;
}

bool session_hear(struct session *session)
{
    struct msghdr ring = {0};

    for (int i = 0; i < RINGS_HEARD; i++) {
        /* Looked at first, see disposal.h. */
        if (recvmsg(session->doorbell, &ring, MSG_PEEK | MSG_DONTWAIT) < 0) {
            break;
        }
        if (ring.msg_flags & MSG_CTRUNC) {
            return false;
        }
        (void)recv(session->doorbell, NULL, 0, MSG_DONTWAIT);
    }
    return true;
}

enum claim session_look(struct session *session, uint64_t published, bool lossy)
{
    struct page *page = session->page;
    uint64_t acknowledged, lost;

    /* Acquire: pairs with the client's release store; what it did with the record is done. */
    acknowledged = atomic_load_explicit(&page->acknowledged, memory_order_acquire);
    if (acknowledged == session->acknowledged) {
        return CLAIM_NOTHING;
    }
    if (acknowledged < session->acknowledged || acknowledged > published) {
        return CLAIM_FALSE;
    }
    if (lossy && !page_lost_at(page, acknowledged, &lost)) {
        if (atomic_load_explicit(&page->acknowledged, memory_order_relaxed) != acknowledged) {
            return CLAIM_NOTHING; /* it is faster than we look: there is another look to come */
        }
        lost = session->lost;
    }
    /* Not what is claimed, if that cannot be. */
    if (!lossy || lost < session->lost ||
        lost - session->lost > acknowledged - session->acknowledged) {
        lost = session->lost;
    }
    session->acknowledged = acknowledged;
    session->lost = lost;
    return CLAIM_PROGRESS;
}

void session_notify(struct session *session)
{
    page_fence();
    session_ring(session);
}

void session_ring(struct session *session)
{
    if (page_sleeps(&session->page->client_sleeps)) {
        session_wake(session);
    }
}

void session_end(struct session *session, enum page_state state)
{
    /*
     * Release; pairs with the client's acquire load before each record. The full fence pairs with
     * the one in shmd_acknowledge(): either the client sees the state, or we see, in a last look
     * after this, what it has acknowledged.
     */
    atomic_store_explicit(&session->page->state, (uint32_t)state, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
}

void session_wake(struct session *session)
{
    /* Full: then it is rung already. Broken: its connection will tell. */
    (void)send(session->client_doorbell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void session_hang_up(struct session *session)
{
    parting_hang_up(session);
    session_end_queue(session);
}

void session_detach(struct session *session)
{
    session_hang_up(session);
    session->doorbell_source = sd_event_source_disable_unref(session->doorbell_source);
    session->deadline_source = sd_event_source_disable_unref(session->deadline_source);
    if (session->page) {
        (void)munmap(session->page, PAGE_SIZE);
        session->page = NULL;
    }
    if (session->queue.header) {
        (void)munmap((void *)(uintptr_t)session->queue.header, session->queue_size);
        session->queue.header = NULL;
    }
    session->queue_fd = fd_close(session->queue_fd);
    session->page_fd = fd_close(session->page_fd);
    parting_close(session->sessions, session->doorbell); /* the client may have left something */
    session->doorbell = -1;
    session->client_doorbell = fd_close(session->client_doorbell);
}

struct session *session_free(struct session *session)
{
    if (session) {
        session_detach(session);
        usage_drop(session->usage);
        session_forget_groups(session);
    }
    free(session);
    return NULL;
}
