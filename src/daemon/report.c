/* SPDX-License-Identifier: MIT */
#include "daemon/report.h"
#include "base/clock.h"
#include "base/shortage.h"
#include "base/text.h"
#include "daemon/failure.h"
#include "daemon/handshake.h"
#include "daemon/starts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define REJECTED_COST      10                  /* entries that one with a whole record is worth */
#define REJECTED_BYTES_MAX ((size_t)4096)      /* of a rejected record, in its entry */
#define SCRIBBLE_PAUSE     (10 * USEC_PER_SEC) /* between two entries about it */

void report_early(const char *instance, enum event event, const char *message)
{
    CLEANUP(entry_free_cleanup) struct entry *entry = entry_new(event, "%s", message);

    entry_add(entry, "SHMD_INSTANCE=%s", instance);
    (void)entry_send(entry, sink_detect());
}

void report_unstarted(struct manager *manager, enum event event, const char *format, ...)
{
    CLEANUP(free_cleanup) char *message = NULL;
    va_list arguments;
    const char *why;

    va_start(arguments, format);
    why = vasprintf(&message, format, arguments) < 0 ? strerror(ENOMEM) : message;
    va_end(arguments);
    if (manager->log) {
        log_event(manager->log, entry_new(event, "%s", why));
    } else {
        report_early(manager->instance, event, why);
    }
    starts_failed(manager->instance, why);
}

void report_epoch(struct manager *manager, enum history history, const struct segment_records *held,
                  bool adopted)
{
    bool in_ring = held->first <= held->last;
    char left[96] = "";
    struct entry *entry;

    if (in_ring) {
        (void)snprintf(left, sizeof(left),
                       "; records %" PRIu64 " to %" PRIu64 " of the ring that it left are given up",
                       held->first, held->last);
    } else if (held->plain) {
        (void)snprintf(left, sizeof(left), "; the record that stands in its segment is %s",
                       adopted ? "record 1" : "given up");
    }
    entry = entry_new(EVENT_EPOCH_STARTED, "epoch " SD_ID128_FORMAT_STR " begins: %s%s",
                      SD_ID128_FORMAT_VAL(manager->state->file->epoch),
                      history == HISTORY_NONE ? "no state of an earlier daemon"
                                              : "the state of an earlier daemon is damaged or of "
                                                "another boot or version",
                      left);
    if (in_ring) {
        entry_add(entry, "SHMD_RECORD_FIRST=%" PRIu64, held->first);
        entry_add(entry, "SHMD_RECORD_LAST=%" PRIu64, held->last);
    }
    log_event(manager->log, entry);
}

void report_started(struct manager *manager)
{
    log_event(manager->log,
              entry_new(EVENT_STARTED,
                        "started: key 0x%08" PRIx32 ", segment %d, %zu bytes, mode %04o, source %s",
                        manager->segment.key, manager->segment.id, manager->segment.size,
                        (unsigned)manager->conf->mode, manager->conf->source_type));
}

void report_gave_up(struct manager *manager, int error)
{
    log_event(manager->log, entry_new(EVENT_GAVE_UP, "it cannot go on: %s; the next one will",
                                      error_text(error)));
}

void report_stopped(struct manager *manager, bool kept)
{
    log_event(manager->log,
              entry_new(EVENT_STOPPED, "stopped: %" PRIu64 " %s, %" PRIu64 " acknowledged%s",
                        state_number(manager->state->file),
                        text_records(state_number(manager->state->file)),
                        acklog_total(&manager->state->file->acklog),
                        kept ? "; the segment is kept" : ""));
}

void report_segment(struct manager *manager, enum segment_origin origin, int old_id)
{
    static const struct {
        enum event event;
        const char *word;
    } words[] = {
        [SEGMENT_CREATED] = {EVENT_SEGMENT_CREATED, "created"},
        [SEGMENT_ADOPTED] = {EVENT_SEGMENT_ADOPTED, "adopted"},
        [SEGMENT_REPLACED] = {EVENT_SEGMENT_REPLACED, "made anew in the place of another one"},
    };
    struct entry *entry;

    log_segment(manager->log, manager->segment.key, manager->segment.id);
    entry = entry_new(words[origin].event, "segment %d (key 0x%08" PRIx32 ", %zu bytes) %s",
                      manager->segment.id, manager->segment.key, manager->segment.size,
                      words[origin].word);
    if (old_id >= 0) {
        entry_add(entry, "SHMD_OLD_SHMID=%d", old_id);
    }
    log_event(manager->log, entry);
}

void report_touch_failed(struct manager *manager, int error)
{
    log_event(manager->log,
              entry_new(EVENT_SEGMENT_AT_RISK,
                        "there is no memory for all of segment %d (%zu bytes): %s; the daemon may "
                        "be killed when it writes there: choose a smaller size, or give it more",
                        manager->segment.id, manager->segment.size, error_text(error)));
}

void report_removed(struct manager *manager, uint32_t key, int id)
{
    log_segment(manager->log, key, id);
    log_event(manager->log, entry_new(EVENT_SEGMENT_REMOVED,
                                      "segment %d (key 0x%08" PRIx32 ") removed", id, key));
}

void report_lost(struct manager *manager)
{
    log_event(manager->log,
              entry_new(EVENT_SEGMENT_LOST,
                        "segment %d (key 0x%08" PRIx32 ") was removed by somebody else",
                        manager->segment.id, manager->segment.key));
}

void report_state_lost(struct manager *manager, int error)
{
    CLEANUP(free_cleanup) char *text = NULL;
    const char *path = manager->state->path;

    if (error == 0) {
        log_event(manager->log,
                  entry_new(EVENT_STATE_LOST, "%s was removed by somebody else; made anew", path));
        return;
    }
    text = describe_state_failure(path, error);
    log_event(manager->log,
              entry_new(EVENT_STATE_LOST,
                        "%s; somebody else removed it, and until it can be made anew, the next "
                        "daemon would begin without the records that wait",
                        text ? text : error_text(error)));
}

void report_rival(struct manager *manager, uint32_t key, pid_t pid)
{
    CLEANUP(free_cleanup) char *text = describe_rival(key, pid);

    log_event(manager->log, entry_new(EVENT_GAVE_UP, "%s", text ? text : strerror(ENOMEM)));
}

void report_survives_nobody(struct manager *manager)
{
    log_event(manager->log,
              entry_new(EVENT_SEGMENT_AT_RISK,
                        "kernel.shm_rmid_forced is 1: the kernel removes a segment to which nobody "
                        "is attached, so it does not survive a restart of the daemon, nor do the "
                        "records of a ring: sysctl kernel.shm_rmid_forced=0"));
}

void report_unlocked(struct manager *manager, int error)
{
    uint32_t key = keylock_key((uint32_t)manager->conf->key);

    log_event(manager->log,
              entry_new(EVENT_SEGMENT_AT_RISK,
                        "no semaphore with key 0x%08" PRIx32
                        ": %s; a second shmd with another runtime directory would not notice that "
                        "this one serves the segment",
                        key, error == -EEXIST ? "another user has one" : strerror(-error)));
}

int report_failed(struct manager *manager, const struct segment_spec *spec, int error,
                  const struct segment_stat *holder)
{
    CLEANUP(free_cleanup) char *text = describe_failure(spec, error, holder);
    bool foreign = error == -EEXIST;
    struct entry *entry;

    log_segment(manager->log, spec->key, -1);
    entry = entry_new(foreign ? EVENT_SEGMENT_FOREIGN : EVENT_SEGMENT_FAILED, "%s",
                      text ? text : error_text(error));
    if (foreign && holder->size > 0) {
        entry_add(entry, "SHMD_OWNER_UID=%u", (unsigned)holder->uid);
        entry_add(entry, "SHMD_CREATOR_PID=%d", (int)holder->creator_pid);
    } else if (!foreign) {
        entry_add(entry, "ERRNO=%d", -error);
    }
    log_event(manager->log, entry);
    if (!manager->started && !manager->keyless) {
        starts_failed(manager->instance, text ? text : error_text(error));
    }
    return failure_status(error);
}

static void log_of_source(struct manager *manager, struct entry *entry)
{
    entry_add(entry, "SHMD_SOURCE=%s", intake_source_type(manager));
    log_event(manager->log, entry);
}

void report_source_failed(struct manager *manager, const char *reason)
{
    log_of_source(manager, entry_new(EVENT_SOURCE_FAILED, "source %s yields no record: %s",
                                     intake_source_type(manager), reason));
}

void report_source_ended(struct manager *manager, const char *reason)
{
    log_of_source(manager, entry_new(EVENT_SOURCE_ENDED, "source %s has ended: %s",
                                     intake_source_type(manager), reason));
}

/* Its programs may say as much as they like, but not fill the journal with it. */
void report_source_said(struct manager *manager, const char *line, size_t length)
{
    CLEANUP(free_cleanup) char *visible = NULL; /* of any bytes: a blob is not shown */
    uint64_t now = clock_usec();
    size_t visible_length;
    FILE *file;

    budget_charge(&manager->budget, BUDGET_SAID, NULL, NULL, now, 1);
    if (budget_in_debt(&manager->budget, BUDGET_SAID, NULL, NULL, now)) {
        log_left_out(manager->log, EVENT_SOURCE_SAID);
        return;
    }
    file = open_memstream(&visible, &visible_length);
    if (file) {
        text_write_visible(file, line, length, true);
        (void)fclose(file);
    }
    log_of_source(manager, entry_new(EVENT_SOURCE_SAID, "source %s: %s",
                                     intake_source_type(manager), visible ? visible : "?"));
}

void report_scribbled(struct manager *manager)
{
    uint64_t now = clock_usec();
    struct entry *entry;

    manager->scribbles++;
    if (manager->scribble_usec && now - manager->scribble_usec < SCRIBBLE_PAUSE) {
        return;
    }
    entry = entry_new(EVENT_SCRIBBLED,
                      "somebody wrote into segment %d where only the daemon writes; restored "
                      "(%" PRIu64 " %s since the last entry)",
                      manager->segment.id, manager->scribbles,
                      manager->scribbles == 1 ? "time" : "times");
    entry_add(entry, "SHMD_SCRIBBLES=%" PRIu64, manager->scribbles);
    log_event(manager->log, entry);
    manager->scribble_usec = now;
    manager->scribbles = 0;
}

void report_socket_taken(struct manager *manager)
{
    log_event(manager->log,
              entry_new(EVENT_SOCKET_TAKEN,
                        "another daemon listens on %s, so there are no sessions: give this one an "
                        "--instance or a --socket of its own",
                        manager->socket_path));
}

void report_socket_lost(struct manager *manager, int error)
{
    const struct listener *listener = &manager->listener;
    CLEANUP(free_cleanup) char *text = NULL;
    int r = 0;

    if (!listener->bound) {
        bool is_main = strcmp(manager->instance, CONF_MAIN_INSTANCE) == 0;

        r = asprintf(
            &text, "nobody can connect until systemd makes it anew: systemctl restart %s%s.socket",
            is_main ? "" : "shmd@", manager->instance);
    } else if (error == -EADDRINUSE) {
        r = asprintf(&text, "nobody can connect: another daemon listens there now");
    } else if (error < 0) {
        text = describe_socket_failure(listener->path, error);
    }
    text = r < 0 ? NULL : text;
    log_event(manager->log, entry_new(EVENT_SOCKET_LOST,
                                      "socket %s was removed by somebody else; %s", listener->path,
                                      error == 0 ? "it is made anew"
                                      : text     ? text
                                                 : error_text(error)));
}

/* Who it is, and that the name is only claimed. */
static void add_identity(struct entry *entry, const struct session *session)
{
    const struct identity *identity = &session->identity;

    entry_add(entry, "SHMD_SESSION=%u", session->id);
    entry_add(entry, "SHMD_CLIENT_PID=%d", (int)identity->pid);
    entry_add(entry, "SHMD_CLIENT_UID=%u", (unsigned)identity->uid);
    entry_add(entry, "SHMD_CLIENT_GID=%u", (unsigned)identity->gid);
    entry_add(entry, "SHMD_CLIENT_NAME=%s", identity->name);
    entry_add(entry, "SHMD_CLIENT_VERIFIED=yes");
}

void report_rejected(struct manager *manager, const struct session *publisher,
                     const char *objection, size_t length, const char *record, size_t shown)
{
    struct entry *entry;
    struct spending *user = publisher ? &publisher->usage->spending : NULL;
    uint64_t now = clock_usec();

    budget_charge(&manager->budget, BUDGET_REJECTED, NULL, user, now, REJECTED_COST);
    if (budget_in_debt(&manager->budget, BUDGET_REJECTED, NULL, user, now)) {
        log_left_out(manager->log, EVENT_RECORD_REJECTED);
        return;
    }
    entry = entry_new(EVENT_RECORD_REJECTED, "record of %zu %s rejected: %s", length,
                      text_bytes(length), objection);
    entry_add(entry, "SHMD_BYTES=%zu", length);
    entry_add_data(entry, "SHMD_RECORD", record,
                   shown < REJECTED_BYTES_MAX ? shown : REJECTED_BYTES_MAX);
    if (publisher) {
        add_identity(entry, publisher);
    }
    log_event(manager->log, entry);
}

/* An entry about a session. */
static struct entry *session_entry(enum event event, const struct session *session,
                                   const char *what)
{
    const struct identity *identity = &session->identity;
    struct entry *entry = entry_new(event, "session %u (uid %u, pid %d%s%s) %s", session->id,
                                    (unsigned)identity->uid, (int)identity->pid,
                                    *identity->name ? ", calls itself " : "", identity->name, what);

    add_identity(entry, session);
    if (session->role) {
        entry_add(entry, "SHMD_ROLE=%s",
                  session->role == MESSAGE_PUBLISHER ? "publisher" : "subscriber");
    }
    return entry;
}

/* Who comes and goes all the time fills no journal, either. False: it was left out. */
static bool log_session_event(struct manager *manager, const struct session *session,
                              struct entry *entry)
{
    struct spending *user = &session->usage->spending;
    uint64_t now = clock_usec();

    budget_charge(&manager->budget, BUDGET_SESSIONS, NULL, user, now, 1);
    if (entry && budget_in_debt(&manager->budget, BUDGET_SESSIONS, NULL, user, now)) {
        log_left_out(manager->log, entry->event);
        (void)entry_free(entry);
        return false;
    }
    log_event(manager->log, entry);
    return true;
}

void report_session_started(struct manager *manager, const struct session *session)
{
    char what[128], resumes[48] = "";
    struct entry *entry;

    if (session->resumes) {
        (void)snprintf(resumes, sizeof(resumes), ", going on from session %" PRIu32,
                       session->resumes);
    }
    (void)snprintf(what, sizeof(what), "%s record %" PRIu64 "%s",
                   session->role == MESSAGE_PUBLISHER ? "publishes from its" : "subscribed from",
                   session->first, resumes);
    entry = session_entry(EVENT_SESSION_STARTED, session, what);
    if (session->role == MESSAGE_SUBSCRIBER) {
        entry_add(entry, "SHMD_RECORD_FIRST=%" PRIu64, session->first);
    }
    if (session->resumes) {
        entry_add(entry, "SHMD_RESUMES=%" PRIu32, session->resumes);
    }
    (void)log_session_event(manager, session, entry);
}

/* What became of all that a publisher has handed in. */
static void account_for(const struct session *session, bool resumed, char *text, size_t size)
{
    char given_up[48] = "", unpublished[64] = "";

    if (session->given_up > 0) {
        (void)snprintf(given_up, sizeof(given_up), ", %" PRIu64 " given up", session->given_up);
    }
    if (session->unpublished > 0) {
        (void)snprintf(unpublished, sizeof(unpublished),
                       ", %" PRIu64 " that it still has to hand in anew", session->unpublished);
    }
    (void)snprintf(text, size, ", %" PRIu64 " %s published, %" PRIu64 " rejected%s%s%s",
                   session_published(session), text_records(session_published(session)),
                   session->lost, given_up, unpublished,
                   session_is_away(session) && session->cursor->left == 0 && !resumed
                       ? "; what it had handed in besides is lost"
                       : "");
}

void report_session_ended(struct manager *manager, const struct session *session,
                          enum session_reason reason, int error)
{
    static const struct {
        enum event event;
        const char *what;
    } reasons[] = {
        [SESSION_LEFT] = {EVENT_SESSION_ENDED, "left"},
        [SESSION_RESUMED] = {EVENT_SESSION_ENDED, "goes on in another session"},
        [SESSION_EVICTED] = {EVENT_SESSION_EVICTED,
                             "evicted: it acknowledged nothing for as long as its lease"},
        [SESSION_AWAITED] = {EVENT_SESSION_EVICTED,
                             "evicted: others have waited for its user for as long as its lease"},
        [SESSION_FORGOTTEN] = {EVENT_SESSION_ENDED, "ended: it did not come back at all"},
        [SESSION_MALFORMED] = {EVENT_SESSION_REFUSED, "ended: it sent a message that is none"},
        [SESSION_LIED] = {EVENT_SESSION_REFUSED,
                          "ended: it acknowledged backwards, or what was never published"},
        [SESSION_BROKEN] = {EVENT_SESSION_REFUSED, "ended: what it handed in is no record"},
        [SESSION_SILENT] = {EVENT_SESSION_REFUSED, "ended: it said nothing"},
        [SESSION_DEAF] = {EVENT_SESSION_REFUSED, "ended: it did not read its WELCOME"},
        [SESSION_REFUSED] = {EVENT_SESSION_REFUSED, "refused"},
        [SESSION_CLOSED] = {EVENT_SESSION_ENDED, "closed: the daemon stops"},
        [SESSION_DISMISSED] = {EVENT_SESSION_ENDED,
                               "closed: another source has come, or a segment of another size"},
    };
    bool publishes = session->cursor && session->role == MESSAGE_PUBLISHER;
    char what[384], counts[256] = "";
    struct entry *entry;

    if (reason == SESSION_LEFT && session->role == 0) {
        return; /* it only asked for the status */
    }
    if (publishes) {
        account_for(session, reason == SESSION_RESUMED, counts, sizeof(counts));
    }
    (void)snprintf(what, sizeof(what), "%s%s%s%s",
                   reason == SESSION_EVICTED && session_is_away(session)
                       ? "evicted: it did not come back within its lease"
                   : reason == SESSION_LEFT && session->unread
                       ? "ended: it asked for the status again and again, and read no answer"
                       : reasons[reason].what,
                   error ? ": " : "", error ? handshake_objection(session, error) : "", counts);
    entry = session_entry(reasons[reason].event, session, what);
    if (publishes) {
        entry_add(entry, "SHMD_RECORDS=%" PRIu64, session_published(session));
        entry_add(entry, "SHMD_REJECTED=%" PRIu64, session->lost);
        entry_add(entry, "SHMD_GIVEN_UP=%" PRIu64, session->given_up);
        entry_add(entry, "SHMD_UNPUBLISHED=%" PRIu64, session->unpublished);
    } else if (session->cursor) {
        entry_add(entry, "SHMD_RECORD_LAST=%" PRIu64, session->acknowledged);
        entry_add(entry, "SHMD_LOST=%" PRIu64, session->lost);
    }
    (void)log_session_event(manager, session, entry);
}

void report_session_late(struct manager *manager, const struct session *session)
{
    /* How far it has come is not known yet. */
    (void)log_session_event(manager, session,
                            session_entry(EVENT_SESSION_EVICTED, session,
                                          "evicted: it did not come back within its lease"));
}

void report_session_lost(struct manager *manager, struct session *session)
{
    uint64_t lost = session->lost - session->lost_logged;
    struct entry *entry;
    char what[64];

    (void)snprintf(what, sizeof(what), "was overtaken and lost %" PRIu64 " %s", lost,
                   text_records(lost));
    entry = session_entry(EVENT_RECORDS_LOST, session, what);
    entry_add(entry, "SHMD_RECORDS=%" PRIu64, lost);
    entry_add(entry, "SHMD_LOST=%" PRIu64, session->lost);
    if (log_session_event(manager, session, entry)) {
        session->lost_logged = session->lost; /* else the next one tells of these, too */
    }
}

void report_reload(struct manager *manager, enum event event, const char *message)
{
    log_event(
        manager->log,
        entry_new(event, "%s%s", event == EVENT_RELOAD_REFUSED ? "reload refused: " : "", message));
}
