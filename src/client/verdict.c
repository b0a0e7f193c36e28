/* SPDX-License-Identifier: MIT */
#include "client/verdict.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

/* In the order of enum fault_kind: as a list has it, and as the last line does, one and several. */
static const struct {
    const char *name;
    const char *one;
    const char *several;
} kinds[] = {
    [FAULT_MISSING] = {"missing", "entry missing", "entries missing"},
    [FAULT_REPEATED] = {"repeated", "entry repeated", "entries repeated"},
    [FAULT_FOREIGN] = {"foreign", "foreign entry that claims to be ours",
                       "foreign entries that claim to be ours"},
    [FAULT_MALFORMED] = {"malformed", "entry malformed", "entries malformed"},
    [FAULT_HOLE] = {"holes", "record in no entry", "records in no entry"},
    [FAULT_OVERLAP] = {"overlaps", "overlap", "overlaps"},
};

/* Overlaps are counted as such, because a range says no more than where to look. */
static uint64_t fault_count(const struct judge *judge, enum fault_kind kind)
{
    const struct faults *faults = &judge->faults[kind];

    return kind == FAULT_OVERLAP ? faults->places : faults->total;
}

static uint64_t listed(const struct faults *faults)
{
    return faults->places < FAULTS_LISTED ? faults->places : FAULTS_LISTED;
}

static void time_write(FILE *file, uint64_t usec)
{
    time_t seconds = (time_t)(usec / USEC_PER_SEC);
    char text[32] = "unknown";
    struct tm tm;

    if (localtime_r(&seconds, &tm)) {
        (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
    }
    (void)fputs(text, file);
}

/* --- in words --- */

static void visible_write(FILE *file, const char *text)
{
    text_write_visible(file, text, strlen(text), false);
}

static void number_write(FILE *file, uint64_t number, const char *one, const char *several)
{
    (void)fprintf(file, "%" PRIu64 " %s", number, number == 1 ? one : several);
}

static void interval_write(FILE *file, const char *one, const char *several,
                           struct interval interval)
{
    if (interval.first == interval.last) {
        (void)fprintf(file, "%s %" PRIu64, one, interval.first);
    } else {
        (void)fprintf(file, "%s %" PRIu64 "-%" PRIu64, several, interval.first, interval.last);
    }
}

static void amount_write(FILE *file, const struct amount *amount)
{
    number_write(file, amount->records, "record, ", "records, ");
    number_write(file, amount->bytes, "byte", "bytes");
    if (amount->lost > 0) {
        (void)fprintf(file, ", %" PRIu64 " lost", amount->lost);
    }
    (void)fputc('\n', file);
}

static void epoch_write(FILE *file, const struct epoch *epoch)
{
    const struct intervals *numbers = &epoch->numbers;

    (void)fputs("instance ", file);
    visible_write(file, epoch->instance);
    (void)fprintf(file, ", epoch %s\n", epoch->id);
    (void)fprintf(file, "  entries:       %" PRIu64, epoch->amount.entries);
    if (numbers->count > 0) {
        interval_write(
            file, ", number", ", numbers",
            (struct interval){numbers->items[0].first, numbers->items[numbers->count - 1].last});
    }
    if (epoch->vacuumed > 0) {
        (void)fprintf(file, "; %" PRIu64 " vacuumed before", epoch->vacuumed);
    }
    (void)fputs("\n  acknowledged:  ", file);
    amount_write(file, &epoch->amount);
    if (epoch->unread > 0) {
        (void)fputs("  let go:        ", file);
        number_write(file, epoch->unread, "record", "records");
        (void)fputs(" that nobody had acknowledged\n", file);
    }
}

static void user_write(FILE *file, const struct user *user)
{
    switch (user->who) {
    case WHO_USER:
        (void)fputs("user ", file);
        visible_write(file, user->name[0] ? user->name : "unknown");
        (void)fprintf(file, " (uid %" PRIu64 "): ", user->uid);
        number_write(file, user->sessions, "session, ", "sessions, ");
        break;
    case WHO_ANONYMOUS:
        (void)fputs("anonymous: ", file);
        break;
    case WHO_SEVERAL:
        (void)fputs("several users in one entry: ", file);
        break;
    }
    amount_write(file, &user->amount);
}

static void fault_write(FILE *file, enum fault_kind kind, const struct fault *fault)
{
    (void)fprintf(file, "%s: ", kinds[kind].name);
    if (!fault->epoch) {
        (void)fputs("entry from uid ", file);
        visible_write(file, fault->uid[0] ? fault->uid : "unknown");
        (void)fputs(", pid ", file);
        visible_write(file, fault->pid[0] ? fault->pid : "unknown");
        (void)fputs(", received ", file);
        time_write(file, fault->usec);
        (void)fputc('\n', file);
        return;
    }
    if (kind == FAULT_HOLE || kind == FAULT_OVERLAP) {
        interval_write(file, "record", "records", fault->range);
        (void)fprintf(file, " of session %" PRIu64, fault->session);
    } else {
        interval_write(file, "entry", "entries", fault->range);
    }
    (void)fputs(" of ", file);
    visible_write(file, fault->epoch->instance);
    (void)fprintf(file, ", epoch %s\n", fault->epoch->id);
}

/* How many, and by whom: each uid once, of those that are listed. */
static void foreign_write(FILE *file, const struct judge *judge, const char *separator)
{
    const struct faults *faults = &judge->faults[FAULT_FOREIGN];
    const char *by = " (by uid ";

    if (faults->places == 0) {
        return;
    }
    (void)fputs(separator, file);
    number_write(file, faults->total, kinds[FAULT_FOREIGN].one, kinds[FAULT_FOREIGN].several);
    for (uint64_t i = 0; i < listed(faults); i++) {
        const char *uid = faults->listed[i].uid;
        bool first = true;

        for (uint64_t j = 0; j < i && first; j++) {
            first = strcmp(faults->listed[j].uid, uid) != 0;
        }
        if (first) {
            (void)fputs(by, file);
            visible_write(file, uid[0] ? uid : "unknown");
            by = ", ";
        }
    }
    (void)fputs(faults->places > FAULTS_LISTED ? ", ...)" : ")", file);
}

/* False: there is none. */
static bool faults_sum_up(FILE *file, const struct judge *judge)
{
    const char *separator = "NOT whole: ";
    bool any = false;

    for (size_t i = 0; i < FAULT_KINDS; i++) {
        uint64_t count = i == FAULT_FOREIGN ? 0 : fault_count(judge, (enum fault_kind)i);

        if (count > 0) {
            (void)fputs(separator, file);
            number_write(file, count, kinds[i].one, kinds[i].several);
            separator = ", ";
            any = true;
        }
    }
    return any;
}

static void files_write(FILE *file, const struct files *files, const char *one, const char *several)
{
    number_write(file, files->count, one, several);
    (void)fputs(", such as ", file);
    visible_write(file, files->example ? files->example : "one");
}

/* Why it cannot be told whether the journal is whole. */
static void unknown_write(FILE *file, const struct judge *judge)
{
    if (judge->damaged.count > 0) {
        files_write(file, &judge->damaged, "journal file is truncated or damaged",
                    "journal files are truncated or damaged");
    } else {
        (void)fputs("the journal holds no entry of ", file);
        visible_write(file, judge->instance ? judge->instance : "shmd");
        (void)fprintf(file, " from uid %u", judge->daemon);
    }
}

static void whole_write(FILE *file, const struct judge *judge)
{
    uint64_t vacuumed = 0;

    for (const struct epoch *epoch = judge->epochs; epoch; epoch = epoch->next) {
        vacuumed += epoch->vacuumed;
    }
    (void)fputs(judge->entries == 0 ? "whole: the journal holds no entry of shmd" : "whole", file);
    if (vacuumed > 0) {
        (void)fprintf(file, " since the first entry; %" PRIu64 " before that %s not there",
                      vacuumed, vacuumed == 1 ? "is" : "are");
    }
    if (judge->left_open.count > 0) {
        (void)fputs("; what came last may be lost of ", file);
        files_write(file, &judge->left_open, "journal file that was not closed",
                    "journal files that were not closed");
    }
}

static void last_line_write(FILE *file, const struct judge *judge)
{
    bool faulty = faults_sum_up(file, judge);

    if (judge_is_whole(judge)) {
        whole_write(file, judge);
        foreign_write(file, judge, ", and ");
    } else {
        if (judge->damaged.count > 0 || judge->unheard) {
            (void)fputs(faulty ? "; and it cannot be told what is missing: "
                               : "it CANNOT be told whether it is whole: ",
                        file);
            unknown_write(file, judge);
        }
        foreign_write(file, judge,
                      judge->faults[FAULT_FOREIGN].total == 1 ? "; and there is "
                                                              : "; and there are ");
    }
    (void)fputc('\n', file);
}

void verdict_write_text(const struct judge *judge, FILE *file)
{
    for (const struct epoch *epoch = judge->epochs; epoch; epoch = epoch->next) {
        epoch_write(file, epoch);
    }
    for (const struct user *user = judge->users; user; user = user->next) {
        user_write(file, user);
    }
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        const struct faults *faults = &judge->faults[i];

        for (uint64_t j = 0; j < listed(faults); j++) {
            fault_write(file, (enum fault_kind)i, &faults->listed[j]);
        }
        if (faults->places > FAULTS_LISTED) {
            (void)fprintf(file, "%s: and %" PRIu64 " more\n", kinds[i].name,
                          faults->places - FAULTS_LISTED);
        }
    }
    last_line_write(file, judge);
}

/* --- as JSON --- */

static void string_write(FILE *file, const char *name, const char *value)
{
    (void)fprintf(file, "\"%s\":", name);
    text_write_json(file, value, strlen(value));
}

static void member_write(FILE *file, const char *name, uint64_t value)
{
    (void)fprintf(file, ",\"%s\":%" PRIu64, name, value);
}

static void amount_write_json(FILE *file, const struct amount *amount)
{
    member_write(file, "entries", amount->entries);
    member_write(file, "records", amount->records);
    member_write(file, "lost", amount->lost);
    member_write(file, "bytes", amount->bytes);
}

static void epoch_write_json(FILE *file, const struct epoch *epoch)
{
    const struct intervals *numbers = &epoch->numbers;

    (void)fputc('{', file);
    string_write(file, "instance", epoch->instance);
    (void)fputc(',', file);
    string_write(file, "epoch", epoch->id);
    if (numbers->count > 0) {
        member_write(file, "first", numbers->items[0].first);
        member_write(file, "last", numbers->items[numbers->count - 1].last);
    }
    member_write(file, "vacuumed", epoch->vacuumed);
    member_write(file, "unread", epoch->unread);
    amount_write_json(file, &epoch->amount);
    (void)fputc('}', file);
}

static void user_write_json(FILE *file, const struct user *user)
{
    static const char *const nobody[] = {[WHO_ANONYMOUS] = "anonymous", [WHO_SEVERAL] = "several"};

    (void)fputc('{', file);
    if (user->who == WHO_USER) {
        string_write(file, "user", user->name);
        member_write(file, "uid", user->uid);
        member_write(file, "sessions", user->sessions);
    } else {
        string_write(file, "user", nobody[user->who]);
        (void)fputs(",\"uid\":null", file);
    }
    amount_write_json(file, &user->amount);
    (void)fputc('}', file);
}

static void fault_write_json(FILE *file, enum fault_kind kind, const struct fault *fault)
{
    (void)fputc('{', file);
    if (!fault->epoch) {
        string_write(file, "uid", fault->uid);
        (void)fputc(',', file);
        string_write(file, "pid", fault->pid);
        member_write(file, "received_usec", fault->usec);
    } else {
        string_write(file, "instance", fault->epoch->instance);
        (void)fputc(',', file);
        string_write(file, "epoch", fault->epoch->id);
        if (kind == FAULT_HOLE || kind == FAULT_OVERLAP) {
            member_write(file, "session", fault->session);
        }
        member_write(file, "first", fault->range.first);
        member_write(file, "last", fault->range.last);
    }
    (void)fputc('}', file);
}

static void faults_write_json(FILE *file, const struct judge *judge, enum fault_kind kind)
{
    const struct faults *faults = &judge->faults[kind];

    (void)fprintf(file, "\"%s\":{\"count\":%" PRIu64 ",\"places\":%" PRIu64 ",\"listed\":[",
                  kinds[kind].name, fault_count(judge, kind), faults->places);
    for (uint64_t i = 0; i < listed(faults); i++) {
        (void)fputs(i > 0 ? "," : "", file);
        fault_write_json(file, kind, &faults->listed[i]);
    }
    (void)fputs("]}", file);
}

void verdict_write_json(const struct judge *judge, FILE *file)
{
    (void)fprintf(file, "{\"whole\":%s", judge_is_whole(judge) ? "true" : "false");
    (void)fputs(",\"epochs\":[", file);
    for (const struct epoch *epoch = judge->epochs; epoch; epoch = epoch->next) {
        epoch_write_json(file, epoch);
        (void)fputs(epoch->next ? "," : "", file);
    }
    (void)fputs("],\"users\":[", file);
    for (const struct user *user = judge->users; user; user = user->next) {
        user_write_json(file, user);
        (void)fputs(user->next ? "," : "", file);
    }
    (void)fputs("],\"faults\":{", file);
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        (void)fputs(i > 0 ? "," : "", file);
        faults_write_json(file, judge, (enum fault_kind)i);
    }
    (void)fputc('}', file);
    member_write(file, "damaged_files", judge->damaged.count);
    member_write(file, "left_open_files", judge->left_open.count);
    (void)fputs("}\n", file);
}
