/* SPDX-License-Identifier: MIT */
#define SD_JOURNAL_SUPPRESS_LOCATION /* our own events are found by MESSAGE_ID, not by line */

#include "daemon/entry.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>

static const struct {
    const char *name;
    int priority;
    const char *id;
} events[] = {
#define EVENT(constant, text, level, message_id) {text, level, message_id},
    EVENTS(EVENT)
#undef EVENT
};

const char *event_name(enum event event)
{
    return events[event].name;
}

int event_priority(enum event event)
{
    return events[event].priority;
}

const char *event_message_id(enum event event)
{
    return events[event].id;
}

enum sink sink_detect(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2 ||
        fstat(STDERR_FILENO, &st) < 0) {
        return SINK_STDERR;
    }
    return st.st_dev == device && st.st_ino == inode ? SINK_JOURNAL : SINK_STDERR;
}

/* Takes over `field` ("NAME=value", `length` bytes); NULL is left out. */
static void field_add(struct entry *entry, char *field, size_t length)
{
    if (!entry || !field || entry->count == ENTRY_FIELDS_MAX) {
        free(field);
        return;
    }
    entry->fields[entry->count++] = (struct iovec){.iov_base = field, .iov_len = length};
}

__attribute__((format(printf, 2, 0))) static void field_vadd(struct entry *entry,
                                                             const char *format, va_list arguments)
{
    char *field;
    int length = vasprintf(&field, format, arguments);

    field_add(entry, length < 0 ? NULL : field, (size_t)length);
}

void entry_add(struct entry *entry, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    field_vadd(entry, format, arguments);
    va_end(arguments);
}

void entry_add_data(struct entry *entry, const char *name, const void *data, size_t length)
{
    size_t name_length = strlen(name);
    char *field = malloc(name_length + 1 + length);

    if (field) {
        memcpy(field, name, name_length);
        field[name_length] = '=';
        memcpy(field + name_length + 1, data, length);
    }
    field_add(entry, field, name_length + 1 + length);
}

struct entry *entry_new(enum event event, const char *format, ...)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    CLEANUP(free_cleanup) char *text = NULL;
    va_list arguments;
    int r;

    if (!entry) {
        return NULL;
    }
    entry->event = event;
    va_start(arguments, format);
    r = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (r < 0) {
        text = NULL;
    }
    entry_add(entry, "MESSAGE=%s", text ? text : event_name(event));
    entry_add(entry, "MESSAGE_ID=%s", event_message_id(event));
    entry_add(entry, "PRIORITY=%d", event_priority(event));
    entry_add(entry, "SHMD_EVENT=%s", event_name(event));
    return entry;
}

/* One line, whatever the message holds. */
static void line_send(const struct iovec *message)
{
    static const char prefix[] = "MESSAGE=";
    const char *text = message->iov_base;
    char line[2048] = "shmd: ";
    size_t used = strlen(line);

    for (size_t i = strlen(prefix); i < message->iov_len && used < sizeof(line) - 1; i++) {
        line[used++] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
    }
    line[used++] = '\n';
    /* One write: lines of several processes do not mix. */
    (void)!write(STDERR_FILENO, line, used);
}

int entry_send(const struct entry *entry, enum sink sink)
{
    if (!entry || entry->count == 0) {
        return 0;
    }
    if (sink == SINK_STDERR) {
        line_send(&entry->fields[0]);
        return 0;
    }
    return sd_journal_sendv(entry->fields, (int)entry->count);
}

struct entry *entry_free(struct entry *entry)
{
    for (size_t i = 0; entry && i < entry->count; i++) {
        free(entry->fields[i].iov_base);
    }
    free(entry);
    return NULL;
}
