/* SPDX-License-Identifier: MIT */
#include "client/status.h"

#include <stdio.h>

static void text_write(const struct shmd_anonymous_info *info)
{
    (void)printf("key:            0x%08x\n"
                 "segment:        %d\n"
                 "size:           %zu bytes\n"
                 "mode:           %04o\n"
                 "owner uid:      %u\n"
                 "owner gid:      %u\n"
                 "creator pid:    %d\n"
                 "last pid:       %d\n"
                 "attached:       %zu\n",
                 info->key, info->id, info->size, info->mode, info->owner_uid, info->owner_gid,
                 info->creator_pid, info->last_pid, info->attached);
    if (info->record_waits) {
        (void)printf("record:         %zu bytes, not acknowledged\n", info->record_length);
    } else {
        (void)printf("record:         none\n");
    }
}

static void json_write(const struct shmd_anonymous_info *info)
{
    (void)printf("{\"key\":\"0x%08x\",\"segment\":%d,\"size\":%zu,\"mode\":\"%04o\","
                 "\"owner_uid\":%u,\"owner_gid\":%u,\"creator_pid\":%d,\"last_pid\":%d,"
                 "\"attached\":%zu,\"record_waits\":%s,\"record_length\":%zu}\n",
                 info->key, info->id, info->size, info->mode, info->owner_uid, info->owner_gid,
                 info->creator_pid, info->last_pid, info->attached,
                 info->record_waits ? "true" : "false", info->record_length);
}

enum exit_status status_show(const struct options *options, const struct shmd_anonymous_info *info)
{
    if (options->format == FORMAT_JSON) {
        json_write(info);
    } else {
        text_write(info);
    }
    return output_end();
}
