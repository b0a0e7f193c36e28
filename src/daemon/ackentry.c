/* SPDX-License-Identifier: MIT */
#include "daemon/ackentry.h"
#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>

#define ENTRY_BUFFER 4096 /* for the user database; a name that needs more is shown as a number */

const char *users_name(struct users *users, uid_t uid)
{
    struct passwd entry, *found = NULL;
    char buffer[ENTRY_BUFFER];
    char *name;

    for (size_t i = 0; i < USERS_KEPT; i++) {
        if (users->kept[i].name[0] && users->kept[i].uid == uid) {
            return users->kept[i].name;
        }
    }
    (void)getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found);
    name = users->kept[users->next].name;
    users->kept[users->next].uid = uid;
    users->next = (users->next + 1) % USERS_KEPT;
    if (found) {
        (void)snprintf(name, USER_NAME_SIZE, "%s", found->pw_name);
    } else {
        (void)snprintf(name, USER_NAME_SIZE, "%u", (unsigned)uid);
    }
    return name;
}

/* Who: "alice (uid 1000, pid 4242)", or what little is known of an anonymous client. */
static void describe_client(const struct ack *ack, const char *user, char *text, size_t size)
{
    char pid[16] = "unknown";

    if (ack->pid > 0) {
        (void)snprintf(pid, sizeof(pid), "%" PRId32, ack->pid);
    }
    if (ack->verified && ack->uid == ACK_SEVERAL) {
        (void)snprintf(text, size, "several users");
    } else if (ack->verified && ack->session == 0) {
        (void)snprintf(text, size, "%s (uid %" PRIu32 ", several processes)", user, ack->uid);
    } else if (ack->verified) {
        (void)snprintf(text, size, "%s (uid %" PRIu32 ", pid %s)", user, ack->uid, pid);
    } else if (ack->records == 1) {
        (void)snprintf(text, size, "anonymous client (pid %s, unverified)", pid);
    } else {
        (void)snprintf(text, size, "anonymous clients (last pid %s, unverified)", pid);
    }
}

/* Of the records from first to last, those that were lost to this subscriber. */
static uint64_t count_lost(const struct ack *ack)
{
    return ack->verified && ack->session ? ack->record_last - ack->record_first + 1 - ack->records
                                         : 0;
}

/* What: "record 7 (26 bytes) after 0.4 ms", or a range of them. */
static void describe_records(const struct ack *ack, char *text, size_t size)
{
    double msec = (double)ack->latency_usec / (double)USEC_PER_MSEC;
    uint64_t lost = count_lost(ack);

    if (lost > 0) {
        (void)snprintf(text, size,
                       "records %" PRIu64 "-%" PRIu64 " but for %" PRIu64 " lost (%" PRIu64
                       " %s), the last one after %.1f ms",
                       ack->record_first, ack->record_last, lost, ack->bytes,
                       text_bytes(ack->bytes), msec);
    } else if (ack->record_first == ack->record_last) {
        (void)snprintf(text, size, "record %" PRIu64 " (%" PRIu64 " %s) after %.1f ms",
                       ack->record_first, ack->bytes, text_bytes(ack->bytes), msec);
    } else {
        (void)snprintf(
            text, size,
            "records %" PRIu64 "-%" PRIu64 " (%" PRIu64 " %s), the last one after %.1f ms",
            ack->record_first, ack->record_last, ack->bytes, text_bytes(ack->bytes), msec);
    }
}

struct entry *ackentry_new(const struct ack *ack, uint64_t sequence, const char *user)
{
    char client[128], records[128];
    struct entry *entry;

    describe_client(ack, user, client, sizeof(client));
    describe_records(ack, records, sizeof(records));
    entry = entry_new(EVENT_ACKNOWLEDGED, "%s acknowledged %s", client, records);
    entry_add(entry, "SHMD_KEY=0x%08" PRIx32, ack->key);
    entry_add(entry, "SHMD_SHMID=%" PRId32, ack->segment_id);
    entry_add(entry, "SHMD_ACK_SEQ=%" PRIu64, sequence);
    entry_add(entry, "SHMD_RECORD_FIRST=%" PRIu64, ack->record_first);
    entry_add(entry, "SHMD_RECORD_LAST=%" PRIu64, ack->record_last);
    entry_add(entry, "SHMD_RECORDS=%" PRIu64, ack->records);
    entry_add(entry, "SHMD_BYTES=%" PRIu64, ack->bytes);
    if (ack->pid > 0) {
        entry_add(entry, "SHMD_CLIENT_PID=%" PRId32, ack->pid);
    }
    if (ack->verified && ack->uid != ACK_SEVERAL) {
        entry_add(entry, "SHMD_CLIENT_UID=%" PRIu32, ack->uid);
        entry_add(entry, "SHMD_CLIENT_GID=%" PRIu32, ack->gid);
        entry_add(entry, "SHMD_CLIENT_USER=%s", user);
    }
    if (ack->verified && ack->session) {
        uint64_t lost = count_lost(ack);

        entry_add(entry, "SHMD_SESSION=%" PRIu32, ack->session);
        entry_add(entry, "SHMD_CLIENT_NAME=%.*s", ACK_NAME_SIZE, ack->name);
        if (lost > 0) {
            entry_add(entry, "SHMD_LOST=%" PRIu64, lost);
        }
    }
    entry_add(entry, "SHMD_CLIENT_VERIFIED=%s", ack->verified ? "yes" : "no");
    entry_add(entry, "SHMD_LATENCY_USEC=%" PRIu64, ack->latency_usec);
    return entry;
}

struct entry *ackentry_unread(const struct untold_records *let_go)
{
    static const char *const whys[] = {
        [UNREAD_LEFT_BEHIND] = "",
        [UNREAD_RECONFIGURED] = ": another segment is configured now",
        [UNREAD_REMOVED] = ": their segment was removed while no daemon ran",
        [UNREAD_DAMAGED] = ": what stood in the segment was damaged",
        [UNREAD_OUTDATED] = ": the watched file has changed",
    };
    bool known = let_go->why < sizeof(whys) / sizeof(whys[0]);
    struct entry *entry = entry_new(
        EVENT_RECORDS_UNREAD,
        "%" PRIu64 " %s of %" PRIu64 " to %" PRIu64 " %s let go, and nobody had acknowledged %s%s",
        let_go->records, text_records(let_go->records), let_go->first, let_go->last,
        let_go->records == 1 ? "was" : "were", let_go->records == 1 ? "it" : "them",
        known ? whys[let_go->why] : "");

    entry_add(entry, "SHMD_RECORD_FIRST=%" PRIu64, let_go->first);
    entry_add(entry, "SHMD_RECORD_LAST=%" PRIu64, let_go->last);
    entry_add(entry, "SHMD_RECORDS=%" PRIu64, let_go->records);
    return entry;
}
