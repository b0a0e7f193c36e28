/* SPDX-License-Identifier: MIT */
#include "client/judge.h"
#include "client/acknowledgement.h"
#include "client/ranges.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define EPOCH_DIGITS ((size_t)32)

static void count(uint64_t *total, uint64_t more)
{
    *total = *total + more < *total ? UINT64_MAX : *total + more;
}

static void amount_add(struct amount *amount, const struct acknowledgement *ack)
{
    count(&amount->entries, 1);
    count(&amount->records, ack->records);
    count(&amount->lost, ack->lost);
    count(&amount->bytes, ack->bytes);
}

void judge_fault(struct judge *judge, enum fault_kind kind, const struct fault *fault)
{
    struct faults *faults = &judge->faults[kind];

    if (faults->places < FAULTS_LISTED) {
        faults->listed[faults->places] = *fault;
    }
    count(&faults->places, 1);
    count(&faults->total, interval_size(fault->range));
}

/* An entry that is not what it should be: who sent it, and when. */
static void entry_fault(struct judge *judge, enum fault_kind kind, const struct claim *claim)
{
    struct fault fault = {.usec = claim->usec};

    (void)snprintf(fault.uid, sizeof(fault.uid), "%.20s", claim->values[CLAIM_SENDER_UID]);
    (void)snprintf(fault.pid, sizeof(fault.pid), "%.20s", claim->values[CLAIM_SENDER_PID]);
    judge_fault(judge, kind, &fault);
}

struct user *judge_user(struct judge *judge, enum who who, uint64_t uid)
{
    struct user **place = &judge->users;

    while (*place && ((*place)->who != who || (*place)->uid != uid)) {
        place = &(*place)->next;
    }
    if (!*place) {
        *place = calloc(1, sizeof(**place));
        if (*place) {
            (*place)->who = who;
            (*place)->uid = uid;
        }
    }
    return *place;
}

static bool is_epoch(const char *text)
{
    return strlen(text) == EPOCH_DIGITS && strspn(text, "0123456789abcdef") == EPOCH_DIGITS;
}

/* 1, with *ret; 0 if the entry names none; -ENOMEM. */
static int epoch_find(struct judge *judge, const struct claim *claim, struct epoch **ret)
{
    const char *instance = claim->values[CLAIM_INSTANCE];
    const char *id = claim->values[CLAIM_EPOCH];
    struct epoch **place = &judge->epochs;

    if (!is_epoch(id) || !claim_has(claim, CLAIM_INSTANCE)) {
        return 0;
    }
    while (*place && (strcmp((*place)->id, id) != 0 || strcmp((*place)->instance, instance) != 0)) {
        place = &(*place)->next;
    }
    if (!*place) {
        CLEANUP(free_cleanup) struct epoch *epoch = calloc(1, sizeof(*epoch));

        if (!epoch || ranges_new(judge, epoch, &epoch->ranges) < 0) {
            return -ENOMEM;
        }
        memcpy(epoch->id, id, EPOCH_DIGITS);
        (void)snprintf(epoch->instance, sizeof(epoch->instance), "%s", instance);
        *place = take(epoch);
    }
    *ret = *place;
    return 1;
}

static int acknowledged(struct judge *judge, struct epoch *epoch, const struct claim *claim)
{
    struct acknowledgement ack;
    struct user *user;
    int r;

    if (!acknowledgement_read(claim, &ack)) {
        entry_fault(judge, FAULT_MALFORMED, claim);
        return 0;
    }
    r = intervals_add(&epoch->numbers, ack.sequence, ack.sequence);
    if (r < 0) {
        return r;
    }
    if (r > 0) {
        judge_fault(judge, FAULT_REPEATED,
                    &(struct fault){.epoch = epoch, .range = {ack.sequence, ack.sequence}});
        return 0;
    }
    user = judge_user(judge, ack.who, ack.uid);
    if (!user) {
        return -ENOMEM;
    }
    if (!user->name[0]) {
        (void)snprintf(user->name, sizeof(user->name), "%s", ack.user);
    }
    amount_add(&epoch->amount, &ack);
    amount_add(&user->amount, &ack);
    return ranges_acknowledged(epoch->ranges, &ack);
}

int judge_take(struct judge *judge, const struct claim *claim)
{
    struct epoch *epoch;
    uint64_t sender;
    int r;

    if (!claim_has(claim, CLAIM_EVENT) && !claim_has(claim, CLAIM_SEQUENCE)) {
        return 0;
    }
    if (!claim_number(claim, CLAIM_SENDER_UID, &sender) || sender != judge->daemon) {
        entry_fault(judge, FAULT_FOREIGN, claim);
        return 0;
    }
    count(&judge->entries, 1);
    r = epoch_find(judge, claim, &epoch);
    if (r < 0) {
        return r;
    }
    if (r == 0) {
        if (claim_has(claim, CLAIM_SEQUENCE)) {
            entry_fault(judge, FAULT_MALFORMED, claim);
        }
        return 0;
    }
    if (claim_is(claim, CLAIM_EVENT, "acknowledged")) {
        return acknowledged(judge, epoch, claim);
    }
    if (claim_is(claim, CLAIM_EVENT, "epoch-started")) {
        epoch->begun = true;
        return 0;
    }
    if (claim_is(claim, CLAIM_EVENT, "records-unread")) {
        uint64_t records;

        if (claim_number(claim, CLAIM_RECORDS, &records)) {
            count(&epoch->unread, records);
        }
        return 0;
    }
    if (claim_is(claim, CLAIM_EVENT, "session-started")) {
        return ranges_started(epoch->ranges, claim);
    }
    if (claim_is(claim, CLAIM_EVENT, "session-ended") ||
        claim_is(claim, CLAIM_EVENT, "session-evicted") ||
        claim_is(claim, CLAIM_EVENT, "session-refused")) {
        return ranges_ended(epoch->ranges, claim);
    }
    return 0;
}

/* Finds the numbers that are missing. */
static void epoch_finish(struct judge *judge, struct epoch *epoch)
{
    const struct intervals *numbers = &epoch->numbers;
    uint64_t next = 1;
    uint64_t last;
    struct interval gap;

    if (numbers->count == 0) {
        return;
    }
    if (!epoch->begun) {
        next = numbers->items[0].first;
        epoch->vacuumed = next - 1;
    }
    last = numbers->items[numbers->count - 1].last;
    while (intervals_gap(numbers, next, last, &gap)) {
        judge_fault(judge, FAULT_MISSING, &(struct fault){.epoch = epoch, .range = gap});
        next = gap.last + 1; /* no gap ends with `last` */
    }
}

void judge_finish(struct judge *judge)
{
    for (struct epoch *epoch = judge->epochs; epoch; epoch = epoch->next) {
        epoch_finish(judge, epoch);
        ranges_finish(epoch->ranges);
    }
}

bool judge_is_whole(const struct judge *judge)
{
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        if (i != FAULT_FOREIGN && judge->faults[i].places > 0) {
            return false;
        }
    }
    return judge->damaged.count == 0 && !judge->unheard;
}

int judge_new(uid_t daemon, uint64_t as_of_usec, struct judge **ret)
{
    struct judge *judge = calloc(1, sizeof(*judge));

    if (!judge) {
        return -ENOMEM;
    }
    judge->daemon = daemon;
    judge->as_of_usec = as_of_usec;
    judge->read_usec = as_of_usec;
    *ret = judge;
    return 0;
}

struct judge *judge_free(struct judge *judge)
{
    if (!judge) {
        return NULL;
    }
    while (judge->epochs) {
        struct epoch *epoch = judge->epochs;

        judge->epochs = epoch->next;
        intervals_free(&epoch->numbers);
        (void)ranges_free(epoch->ranges);
        free(epoch);
    }
    while (judge->users) {
        struct user *user = judge->users;

        judge->users = user->next;
        free(user);
    }
    free(judge->damaged.example);
    free(judge->left_open.example);
    free(judge);
    return NULL;
}
