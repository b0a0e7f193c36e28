/* SPDX-License-Identifier: MIT */
#include "daemon/status.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/timer.h"
#include "daemon/leases.h"

#include <inttypes.h>
#include <string.h>

#define STATUS_USEC USEC_PER_SEC   /* between two STATUS= */
#define SHOWN_MAX   ((size_t)1024) /* bytes of a setting */

static const char *layout_name(const struct manager *manager)
{
    return manager->board.layout == LAYOUT_RING ? "ring" : "plain";
}

void status_notify(struct manager *manager)
{
    const struct state_file *file = manager->state->file;
    const struct trouble *trouble = &manager->intake.trouble;
    size_t count = sessions_count(manager->sessions, MESSAGE_PUBLISHER);
    size_t subscribers = sessions_count(manager->sessions, MESSAGE_SUBSCRIBER);
    uint64_t newest = board_newest(&manager->board);
    char status[sizeof(manager->status)];
    char publishers[48] = "";
    char source[sizeof(trouble->reason) + 64] = "";

    if (count > 0) {
        (void)snprintf(publishers, sizeof(publishers), ", %zu publisher%s", count,
                       count == 1 ? "" : "s");
    }
    if (*trouble->reason) {
        (void)snprintf(source, sizeof(source), "source %s yields no record: %s; ",
                       intake_source_type(manager), trouble->reason);
    }
    (void)snprintf(status, sizeof(status),
                   "%s%s%s%s%s, key 0x%08" PRIx32 ", segment %d, epoch %s: %" PRIu64 " %s, %" PRIu64
                   " acknowledged, %" PRIu64 " rejected, %zu subscriber%s%s",
                   manager->refused ? "the last reload was refused; " : "",
                   manager->keyless ? "the segment has lost its key; " : "",
                   manager->listener.lost ? "nobody can connect, for the socket was removed; " : "",
                   source, layout_name(manager), manager->segment.key, manager->segment.id,
                   SD_ID128_TO_STRING(file->epoch), newest, text_records(newest),
                   acklog_total(&file->acklog), file->rejected, subscribers,
                   subscribers == 1 ? "" : "s", publishers);
    if (strcmp(status, manager->status) != 0) {
        memcpy(manager->status, status, sizeof(status));
        notifier_tell(manager->notifier, "STATUS=%s", status);
    }
    manager->status_usec = clock_usec();
}

static int on_status(sd_event_source *s, uint64_t usec, void *userdata)
{
    (void)s;
    (void)usec;
    status_notify(userdata);
    return 0;
}

int status_new(struct manager *manager)
{
    return timer_new(manager->event, 0, on_status, manager, &manager->status_source);
}

void status_refresh(struct manager *manager, uint64_t now)
{
    int enabled;

    if (!manager->started || !manager->segment.map ||
        sd_event_source_get_enabled(manager->status_source, &enabled) != 0) {
        return;
    }
    if (now - manager->status_usec >= STATUS_USEC) {
        status_notify(manager);
    } else if (sd_event_source_set_time(manager->status_source,
                                        manager->status_usec + STATUS_USEC) >= 0) {
        (void)sd_event_source_set_enabled(manager->status_source, SD_EVENT_ONESHOT);
    }
}

static void write_session(const struct manager *manager, const struct session *session, FILE *file)
{
    uint64_t newest = board_newest(&manager->board);

    (void)fprintf(file, "{\"role\":\"%s\",\"pid\":%d,\"uid\":%u,\"gid\":%u,\"name\":",
                  session->role == MESSAGE_PUBLISHER ? "publisher" : "subscriber",
                  (int)session->identity.pid, (unsigned)session->identity.uid,
                  (unsigned)session->identity.gid);
    text_write_json(file, session->identity.name, strlen(session->identity.name));
    if (session->role == MESSAGE_PUBLISHER) {
        (void)fprintf(file, ",\"published\":%" PRIu64 ",\"rejected\":%" PRIu64,
                      session_published(session), session->lost);
    } else {
        (void)fprintf(file,
                      ",\"acknowledged\":%" PRIu64 ",\"behind\":%" PRIu64 ",\"lost\":%" PRIu64
                      ",\"lease_left_ms\":%" PRIu64,
                      session->acknowledged,
                      newest > session->acknowledged ? newest - session->acknowledged : 0,
                      session->lost, leases_left(manager, session) / USEC_PER_MSEC);
    }
    (void)fprintf(file, ",\"away\":%s}", session_is_away(session) ? "true" : "false");
}

static void write_text(const char *name, const char *text, FILE *file)
{
    size_t length = strlen(text);

    (void)fprintf(file, ",\"%s\":", name);
    text_write_json(file, text, length < SHOWN_MAX ? length : SHOWN_MAX);
}

/* How it is set, how long it has been there, and whether its source yields. */
static void write_daemon(const struct manager *manager, FILE *file)
{
    const struct trouble *trouble = &manager->intake.trouble;
    time_t seconds = (time_t)(trouble->since_usec / USEC_PER_SEC);
    char since[sizeof("2026-01-01T00:00:00Z")] = "";
    struct tm date;

    (void)fprintf(file, ",\"version\":\"%s\",\"uptime_s\":%" PRIu64 ",\"lease_ms\":%" PRIu64,
                  PACKAGE_VERSION, (clock_usec() - manager->started_usec) / USEC_PER_SEC,
                  manager->conf->lease_ms);
    write_text("allow_subscribe", manager->conf->allow_subscribe, file);
    write_text("allow_publish", manager->conf->allow_publish, file);
    write_text("source", intake_source_type(manager), file);
    if (*trouble->reason && gmtime_r(&seconds, &date)) {
        (void)strftime(since, sizeof(since), "%FT%TZ", &date);
        write_text("source_fails_since", since, file);
        write_text("source_error", trouble->reason, file);
    }
}

char *status_json(const struct manager *manager, const struct session *asker)
{
    const struct state_file *state = manager->state->file;
    uid_t uid = asker->identity.uid;
    bool all = uid == 0 || uid == geteuid();
    const char *separator = "";
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    if (!file) {
        return NULL;
    }
    (void)fprintf(file, "{\"instance\":");
    text_write_json(file, manager->instance, strlen(manager->instance));
    (void)fprintf(file,
                  ",\"layout\":\"%s\",\"when_full\":\"%s\",\"key\":\"0x%08" PRIx32
                  "\",\"segment\":%d,\"size\":%zu,\"mode\":\"%04o\"",
                  layout_name(manager), manager->conf->when_full ? "overwrite" : "wait",
                  manager->segment.key, manager->segment.id, manager->segment.size,
                  (unsigned)manager->conf->mode);
    write_daemon(manager, file);
    (void)fprintf(file,
                  ",\"epoch\":\"%s\",\"records\":%" PRIu64 ",\"acknowledged\":%" PRIu64
                  ",\"rejected\":%" PRIu64 ",\"subscribers\":%zu,\"publishers\":%zu,\"sessions\":[",
                  SD_ID128_TO_STRING(state->epoch), board_newest(&manager->board),
                  acklog_total(&state->acklog), state->rejected,
                  sessions_count(manager->sessions, MESSAGE_SUBSCRIBER),
                  sessions_count(manager->sessions, MESSAGE_PUBLISHER));
    for (const struct session *session = manager->sessions->first; session;
         session = session->next) {
        if (session->cursor && (all || session->identity.uid == uid) &&
            (size_t)ftell(file) < MESSAGE_REPORT_MAX - 512) {
            (void)fputs(separator, file);
            write_session(manager, session, file);
            separator = ",";
        }
    }
    (void)fputs("]}", file);
    if (fclose(file) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
