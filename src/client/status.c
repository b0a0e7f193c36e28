/* SPDX-License-Identifier: MIT */
#include "client/status.h"
#include "client/anonymous.h"
#include "client/document.h"
#include "client/session.h"
#include "client/target.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "lib/shmd.h"

#include <stdio.h>
#include <unistd.h>

#define WATCH_SECONDS 1
#define CLEAR_SCREEN  "\033[H\033[2J"

DEFINE_CLEANUP(struct shmd_anonymous, shmd_anonymous_close)

/* --- by key alone --- */

static const char *layout_name(const struct shmd_anonymous_info *info)
{
    return info->ring ? "ring" : "plain";
}

static void text_write(const struct shmd_anonymous_info *info)
{
    (void)printf("key:            0x%08x\n"
                 "segment:        %d\n"
                 "layout:         %s\n"
                 "size:           %zu bytes\n"
                 "mode:           %04o\n"
                 "owner uid:      %u\n"
                 "owner gid:      %u\n"
                 "creator pid:    %d\n"
                 "last pid:       %d\n"
                 "attached:       %zu\n",
                 info->key, info->id, layout_name(info), info->size, info->mode, info->owner_uid,
                 info->owner_gid, info->creator_pid, info->last_pid, info->attached);
    if (info->ring) {
        (void)printf("when full:      %s\n", info->overwrite ? "overwrite" : "wait");
    }
    if (info->record_waits) {
        (void)printf("record:         %zu %s%s\n", info->record_length,
                     text_bytes(info->record_length),
                     info->ring ? ", the oldest one" : ", not acknowledged");
    } else {
        (void)printf("record:         none\n");
    }
}

static void json_write(const struct shmd_anonymous_info *info)
{
    (void)printf(
        "{\"key\":\"0x%08x\",\"segment\":%d,\"layout\":\"%s\",\"size\":%zu,\"mode\":\"%04o\","
        "\"owner_uid\":%u,\"owner_gid\":%u,\"creator_pid\":%d,\"last_pid\":%d,"
        "\"attached\":%zu,\"record_waits\":%s,\"record_length\":%zu}\n",
        info->key, info->id, layout_name(info), info->size, info->mode, info->owner_uid,
        info->owner_gid, info->creator_pid, info->last_pid, info->attached,
        info->record_waits ? "true" : "false", info->record_length);
}

static enum exit_status show_segment(const struct options *options, uint32_t key)
{
    CLEANUP(shmd_anonymous_close_cleanup) struct shmd_anonymous *segment = NULL;
    struct shmd_anonymous_info info;
    int r = shmd_anonymous_open(key, false, &segment);

    if (r == 0) {
        r = shmd_anonymous_info(segment, &info);
    }
    if (r < 0) {
        return anonymous_explain(options, key, r);
    }
    if (options->format == FORMAT_JSON) {
        json_write(&info);
    } else {
        text_write(&info);
    }
    return EXIT_DONE;
}

/* --- as the daemon says --- */

static enum exit_status show(const struct options *command_line)
{
    CLEANUP(free_cleanup) char *document = NULL;
    CLEANUP(target_free) struct target target = {0};
    const struct options *options = &target.options;
    enum exit_status status = target_choose(command_line, &target);
    int r;

    if (status != EXIT_DONE) {
        return status;
    }
    r = shmd_status(&target.daemon, &document);
    if (target.key && (target_is_absent(r) || (r == 0 && !target_serves(document, target.key)))) {
        return show_segment(options, target.key);
    }
    if (target_is_absent(r) && target_has_key(options)) {
        status = target_find(options, &target);
        return status == EXIT_DONE ? show_segment(options, target.key) : status;
    }
    if (r < 0) {
        return session_explain(options, r);
    }
    if (options->format == FORMAT_JSON) {
        (void)puts(document);
    } else {
        document_write(stdout, document);
    }
    return EXIT_DONE;
}

enum exit_status status_show(const struct options *options)
{
    bool screen = output_is_screen(STDOUT_FILENO);
    enum exit_status status, written;

    for (;;) {
        if (options->watch && screen) {
            (void)fputs(CLEAR_SCREEN, stdout);
        }
        status = show(options);
        written = output_end();
        /* A daemon that is away may come back. */
        if (written != EXIT_DONE || !options->watch ||
            (status != EXIT_DONE && status != EXIT_NOBODY)) {
            return written != EXIT_DONE ? written : status;
        }
        (void)sleep(WATCH_SECONDS);
        if (!screen && options->format == FORMAT_TEXT) {
            (void)fputc('\n', stdout);
        }
    }
}
