/* SPDX-License-Identifier: MIT */
#include "daemon/session.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

/* A page whose size nobody can change any more: no SIGBUS for either side. */
static int page_new(int *ret_fd, struct page **ret)
{
    CLEANUP(fd_close_cleanup) int fd = memfd_create("shmd-page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    void *memory;

    if (fd < 0 || ftruncate(fd, PAGE_SIZE) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        return -errno;
    }
    memory = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    *ret = memory;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

void session_restore_page(struct session *session)
{
    struct stat st;
    int seals = F_SEAL_SHRINK | F_SEAL_GROW;
    void *memory;

    if (fstat(session->page_fd, &st) < 0 || st.st_size != PAGE_SIZE ||
        (fcntl(session->page_fd, F_GET_SEALS) & seals) != seals) {
        return;
    }
    memory = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, session->page_fd, 0);
    session->page = memory == MAP_FAILED ? NULL : memory;
    session->page_fd = fd_close(session->page_fd);
}

int session_equip(struct session *session)
{
    CLEANUP(fd_close_cleanup) int doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r;

    if (doorbell < 0) {
        return -errno;
    }
    r = page_new(&session->page_fd, &session->page);
    if (r < 0) {
        return r;
    }
    session->doorbell = doorbell;
    doorbell = -1;
    return 0;
}

int session_share(struct session *session, int ret_fds[MESSAGE_WELCOME_FDS])
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        return -errno;
    }
    session->client_doorbell = ends[1];
    ret_fds[0] = session->page_fd;
    ret_fds[1] = ends[0];
    ret_fds[2] = session->doorbell;
    return 0;
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
    if (page_must_ring(&session->page->client_sleeps)) {
        /* Full: then it is rung already. Broken: its socket will tell. */
        (void)!write(session->client_doorbell, "", 1);
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
    (void)!write(session->client_doorbell, "", 1);
}

void session_detach(struct session *session)
{
    session->socket_source = sd_event_source_disable_unref(session->socket_source);
    session->doorbell_source = sd_event_source_disable_unref(session->doorbell_source);
    session->deadline_source = sd_event_source_disable_unref(session->deadline_source);
    if (session->page) {
        (void)munmap(session->page, PAGE_SIZE);
        session->page = NULL;
    }
    session->page_fd = fd_close(session->page_fd);
    session->doorbell = fd_close(session->doorbell);
    session->client_doorbell = fd_close(session->client_doorbell);
    session->socket = fd_close(session->socket);
}

struct session *session_free(struct session *session)
{
    if (session) {
        session_detach(session);
    }
    free(session);
    return NULL;
}
