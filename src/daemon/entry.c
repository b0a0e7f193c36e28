/* SPDX-License-Identifier: MIT */
#include "daemon/entry.h"
#include "base/patient.h"
#include "daemon/journal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

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

/* Takes over `field` ("NAME=value", `length` bytes); NULL: there was no memory for it. */
static void field_add(struct entry *entry, char *field, size_t length)
{
    if (!entry || !field || entry->count == ENTRY_FIELDS_MAX) {
        if (entry) {
            entry->lacks = true;
        }
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

/* An error for which there is no memory, in words at least: standard error needs none. */
__attribute__((format(printf, 2, 0))) static void speak(enum event event, const char *format,
                                                        va_list arguments)
{
    char line[ENTRY_LINE_MAX];
    int length;

    if (event_priority(event) > LOG_ERR) {
        return;
    }
    length = snprintf(line, sizeof(line), "shmd: %s: ", event_name(event));
    (void)vsnprintf(line + length, sizeof(line) - 1 - (size_t)length, format, arguments);
    length = (int)strlen(line);
    line[length++] = '\n';
    /* The journal, at whose socket it may be, delays nothing. */
    if (send(STDERR_FILENO, line, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
        errno == ENOTSOCK) {
        (void)!write(STDERR_FILENO, line, (size_t)length);
    }
}

struct entry *entry_new(enum event event, const char *format, ...)
{
    CLEANUP(entry_free_cleanup) struct entry *entry = calloc(1, sizeof(*entry));
    CLEANUP(free_cleanup) char *text = NULL;
    va_list arguments;
    int r = -1;

    if (entry) {
        entry->event = entry->told = event;
        entry->times = 1;
        va_start(arguments, format);
        r = vasprintf(&text, format, arguments);
        va_end(arguments);
    }
    if (r < 0) {
        text = NULL;
    }
    entry_add(entry, "MESSAGE=%s", text ? text : event_name(event));
    if (!text || entry->count == 0) {
        va_start(arguments, format);
        speak(event, format, arguments);
        va_end(arguments);
        return NULL;
    }
    entry_add(entry, "MESSAGE_ID=%s", event_message_id(event));
    entry_add(entry, "PRIORITY=%d", event_priority(event));
    entry_add(entry, "SHMD_EVENT=%s", event_name(event));
    entry_add(entry, "SYSLOG_IDENTIFIER=shmd");
    return take(entry);
}

/* One line, whatever the message holds. */
size_t entry_line(const struct entry *entry, char line[ENTRY_LINE_MAX])
{
    static const char prefix[] = "MESSAGE=";
    static const char who[] = "shmd: ";
    const struct iovec *message = &entry->fields[0];
    const char *text = message->iov_base;
    size_t used = strlen(who);

    memcpy(line, who, used);
    for (size_t i = strlen(prefix); i < message->iov_len && used < ENTRY_LINE_MAX - 1; i++) {
        line[used++] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
    }
    line[used++] = '\n';
    return used;
}

int entry_send(const struct entry *entry, enum sink sink)
{
    struct mmsghdr note;

    if (!entry || entry->count == 0) {
        return 0;
    }
    if (sink == SINK_STDERR) {
        char line[ENTRY_LINE_MAX];

        /* One write: lines of several processes do not mix. */
        return patient_write(STDERR_FILENO, line, entry_line(entry, line), NULL);
    }
    return journal_send(entry->fields, entry->count, &note);
}

struct entry *entry_free(struct entry *entry)
{
    for (size_t i = 0; entry && i < entry->count; i++) {
        free(entry->fields[i].iov_base);
    }
    free(entry);
    return NULL;
}
