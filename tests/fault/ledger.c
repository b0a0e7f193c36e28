/* SPDX-License-Identifier: MIT
 *
 * A table with open addressing. A place that became free again keeps the chains through it together
 * (GONE), and is used by the next one that comes along.
 *
 * At the exit, the report says how much shmd (and libconfig for it) has not freed: exactly nothing,
 * if every run ends in order. What the other libraries keep to themselves is not counted.
 */
#include "ledger.h"
#include "fault.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define PLACES  65536
#define GONE    ((const void *)1)
#define SHOWN   5
#define MIXER   UINT64_C(0x9e3779b97f4a7c15)
#define TO_SIZE 48 /* the upper 16 bits of 64 */

static struct {
    const void *memory, *caller;
} places[PLACES];
static atomic_flag guard = ATOMIC_FLAG_INIT;

static void lock(void)
{
    while (atomic_flag_test_and_set(&guard)) {
    }
}

static void unlock(void)
{
    atomic_flag_clear(&guard);
}

static size_t place_of(const void *memory, size_t step)
{
    return (((uint64_t)(uintptr_t)memory * MIXER >> TO_SIZE) + step) % PLACES;
}

void ledger_add(const void *memory, const void *caller)
{
    if (!memory) {
        return;
    }
    lock();
    for (size_t step = 0; step < PLACES; step++) {
        size_t at = place_of(memory, step);

        if (!places[at].memory || places[at].memory == GONE) {
            places[at].memory = memory;
            places[at].caller = caller;
            break;
        }
    }
    unlock();
}

const void *ledger_remove(const void *memory)
{
    const void *caller = NULL;

    if (!memory) {
        return NULL;
    }
    lock();
    for (size_t step = 0; step < PLACES; step++) {
        size_t at = place_of(memory, step);

        if (!places[at].memory) {
            break;
        }
        if (places[at].memory == memory) {
            places[at].memory = GONE;
            caller = places[at].caller;
            break;
        }
    }
    unlock();
    return caller;
}

__attribute__((destructor)) static void end(void)
{
    size_t live = 0;

    for (size_t at = 0; at < PLACES; at++) {
        if (!places[at].memory || places[at].memory == GONE ||
            fault_origin(places[at].caller) == ORIGIN_OTHERS) {
            continue;
        }
        live++;
        if (live <= SHOWN) {
            fault_report("kept by 0x%lx\n", fault_offset(places[at].caller));
        }
    }
    fault_report("live %zu\n", live);
}
