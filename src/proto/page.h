/* SPDX-License-Identifier: MIT
 *
 * The session page: 4 KiB of memory shared by the daemon and one client, a sealed memfd.
 *
 *      line 0  daemon   published record number, length and first byte (plain), state, crowded;
 *                       to a publisher its confirmed records, see below
 *      line 1  daemon   "I sleep"
 *      line 2  client   acknowledged record number, records lost up to it
 *      line 3  client   "I sleep"
 *      256     daemon   plain: the record, if it is not longer than PAGE_RECORD_MAX
 *
 * A plain segment may be written by others; nobody but the daemon writes the record here, and it is
 * the one that counts.
 *
 * A publisher's page says up to which of its own records all are confirmed (in `published`), where
 * in its queue these end, and how many of them were rejected; it acknowledges nothing.
 *
 * Each side writes its own lines only. The daemon believes nothing in the client's lines: numbers
 * are copied, then judged; and it never reads its own lines back. A client that writes into the
 * daemon's lines fools itself.
 *
 * Waking. Whoever finds nothing to do announces that it will sleep, looks once more, and only then
 * sleeps on its doorbell. Whoever has given the other something to do looks whether
 * the other sleeps, and rings if so:
 *
 *      sleeper                             waker
 *      -------                             -----
 *      S1 sleeps = 1                       K1 the news (a record, acknowledged, …)
 *      S2 full fence                       K2 full fence
 *      S3 any news? then don't sleep       K3 sleeps? then ring
 *      S4 sleep on the doorbell
 *      S5 sleeps = 0
 *
 * The two full fences make it impossible that both look too early: either S3 sees the news or K3
 * sees the flag. So a pair that is awake makes no system call, and no wake-up is lost.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE       4096
#define PAGE_RECORD_MAX 3840

enum page_state {
    PAGE_ACTIVE,
    PAGE_EVICTED,    /* the lease ran out: nothing waits for this subscriber any more */
    PAGE_SUPERSEDED, /* another segment has taken the place of this one: subscribe again */
    PAGE_CLOSING,    /* the daemon stops */
};

/* Records lost up to a number that was acknowledged. */
struct page_lost {
    _Atomic uint64_t number;
    _Atomic uint64_t lost;
};

struct page {
    _Alignas(64) _Atomic uint64_t published; /* plain: the record that stands; 0: none yet */
    uint32_t length;                         /* plain: of the record */
    uint32_t first;                          /* plain: its first byte */
    _Atomic uint32_t state;
    _Atomic uint32_t crowded;  /* there are more processes than processors: let others run */
    _Atomic uint64_t rejected; /* publisher: of its confirmed records */
    _Atomic uint64_t position; /* publisher: in its queue, behind its confirmed records */
    _Alignas(64) _Atomic uint32_t daemon_sleeps;
    _Alignas(64) _Atomic uint64_t acknowledged; /* all records up to this one */
    struct page_lost lost[2]; /* of this acknowledgement and of the one before, in turns */
    _Alignas(64) _Atomic uint32_t client_sleeps;
    _Alignas(64) char record[PAGE_RECORD_MAX];
};

_Static_assert(sizeof(struct page) == PAGE_SIZE, "part of the protocol");
_Static_assert(offsetof(struct page, record) == 256, "part of the protocol");
_Static_assert(offsetof(struct page, length) == 8, "part of the protocol");
_Static_assert(offsetof(struct page, state) == 16, "part of the protocol");
_Static_assert(offsetof(struct page, crowded) == 20, "part of the protocol");
_Static_assert(offsetof(struct page, rejected) == 24, "part of the protocol");
_Static_assert(offsetof(struct page, position) == 32, "part of the protocol");
_Static_assert(offsetof(struct page, daemon_sleeps) == 64, "part of the protocol");
_Static_assert(offsetof(struct page, acknowledged) == 128, "part of the protocol");
_Static_assert(offsetof(struct page, lost) == 136, "part of the protocol");
_Static_assert(sizeof(struct page_lost) == 16, "part of the protocol");
_Static_assert(offsetof(struct page, client_sleeps) == 192, "part of the protocol");

/* Acknowledges all records up to `number`, where nothing is ever lost, because the records wait. */
static inline void page_acknowledge_all(struct page *page, uint64_t number)
{
    /* Release: pairs with session_look(); all reading of the records is done. */
    atomic_store_explicit(&page->acknowledged, number, memory_order_release);
}

/*
 * Acknowledges all records up to `number`, of which `lost` were written over unread since the
 * session began. What belongs to the acknowledgement that stands is not touched: whoever loads
 * `acknowledged` finds the `lost` that goes with it, wherever we are killed.
 */
static inline void page_acknowledge(struct page *page, uint64_t number, uint64_t lost)
{
    uint64_t standing = atomic_load_explicit(&page->acknowledged, memory_order_relaxed);
    struct page_lost *free =
        &page->lost[atomic_load_explicit(&page->lost[0].number, memory_order_relaxed) == standing];

    atomic_store_explicit(&free->number, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* pairs with the fence of page_lost_at() */
    atomic_store_explicit(&free->lost, lost, memory_order_relaxed);
    atomic_store_explicit(&free->number, number, memory_order_release);
    page_acknowledge_all(page, number);
}

/* What was lost up to `number`, which was just loaded from `acknowledged`; false: it is older. */
static inline bool page_lost_at(const struct page *page, uint64_t number, uint64_t *ret)
{
    for (int i = 0; i < 2; i++) {
        const struct page_lost *at = &page->lost[i];

        if (atomic_load_explicit(&at->number, memory_order_acquire) == number) {
            *ret = atomic_load_explicit(&at->lost, memory_order_relaxed);
            atomic_thread_fence(memory_order_acquire); /* pairs with page_acknowledge() */
            return atomic_load_explicit(&at->number, memory_order_relaxed) == number;
        }
    }
    return false;
}

/* S1, S2. After it, look for news (S3) before sleeping. */
static inline void page_announce_sleep(_Atomic uint32_t *sleeps)
{
    atomic_store_explicit(sleeps, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with page_must_ring() */
}

/* S5. */
static inline void page_announce_awake(_Atomic uint32_t *sleeps)
{
    atomic_store_explicit(sleeps, 0, memory_order_relaxed);
}

/* K2: one is enough for all whom the news is for. */
static inline void page_fence(void)
{
    atomic_thread_fence(memory_order_seq_cst); /* pairs with page_announce_sleep() */
}

/* K3, after K2: does the other side sleep? */
static inline bool page_sleeps(const _Atomic uint32_t *sleeps)
{
    return atomic_load_explicit(sleeps, memory_order_relaxed) != 0;
}

/* K2, K3: after the news was stored, does the other side sleep? */
static inline bool page_must_ring(const _Atomic uint32_t *sleeps)
{
    page_fence();
    return page_sleeps(sleeps);
}
