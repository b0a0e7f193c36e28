/* SPDX-License-Identifier: MIT */
#include "daemon/status.h"
#include "base/clock.h"
#include "base/text.h"
#include "daemon/leases.h"

#include <inttypes.h>
#include <string.h>
#include <systemd/sd-daemon.h>

static const char *layout_name(const struct manager *manager)
{
    return manager->board.layout == LAYOUT_RING ? "ring" : "plain";
}

void status_notify(struct manager *manager)
{
    const struct state_file *file = manager->state->file;
    size_t count = sessions_count(manager->sessions, MESSAGE_PUBLISHER);
    char status[sizeof(manager->status)];
    char publishers[48] = "";

    if (count > 0) {
        (void)snprintf(publishers, sizeof(publishers), ", %zu publishers", count);
    }
    (void)snprintf(status, sizeof(status),
                   "%s, key 0x%08" PRIx32 ", segment %d, epoch %s: %" PRIu64 " records, %" PRIu64
                   " acknowledged, %" PRIu64 " rejected, %zu subscribers%s",
                   layout_name(manager), manager->segment.key, manager->segment.id,
                   SD_ID128_TO_STRING(file->epoch), board_newest(&manager->board),
                   acklog_total(&file->acklog), file->rejected,
                   sessions_count(manager->sessions, MESSAGE_SUBSCRIBER), publishers);
    if (strcmp(status, manager->status) != 0) {
        memcpy(manager->status, status, sizeof(status));
        (void)sd_notifyf(false, "STATUS=%s", status);
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
                  "\",\"segment\":%d,\"size\":%zu,\"mode\":\"%04o\",\"epoch\":\"%s\","
                  "\"records\":%" PRIu64 ",\"acknowledged\":%" PRIu64 ",\"rejected\":%" PRIu64
                  ",\"subscribers\":%zu,\"publishers\":%zu,\"sessions\":[",
                  layout_name(manager), manager->conf->when_full ? "overwrite" : "wait",
                  manager->segment.key, manager->segment.id, manager->segment.size,
                  (unsigned)manager->conf->mode, SD_ID128_TO_STRING(state->epoch),
                  board_newest(&manager->board), acklog_total(&state->acklog), state->rejected,
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
