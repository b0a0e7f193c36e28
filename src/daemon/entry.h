/* SPDX-License-Identifier: MIT
 *
 * One journal entry: fields that are collected, and then sent to the journal, or shown as a line on
 * standard error where that is not the journal.
 *
 * Making an entry never fails for the caller: what memory is too short for is left out.
 */
#pragma once

#include "base/cleanup.h"
#include "daemon/events.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define ENTRY_FIELDS_MAX 32
#define ENTRY_LINE_MAX   2048

enum sink {
    SINK_STDERR,
    SINK_JOURNAL,
};

struct entry {
    enum event event;
    enum event told;    /* it tells of an event of this kind: its own; or of those that … */
    uint64_t times;     /* … were left out: so many */
    struct entry *next; /* for whoever queues it */
    bool lacks;         /* a field for which there was no memory */
    size_t count;
    struct iovec fields[ENTRY_FIELDS_MAX];
};

const char *event_name(enum event event);
int event_priority(enum event event);
const char *event_message_id(enum event event);

/* The journal, if standard error is connected to it ($JOURNAL_STREAM). */
enum sink sink_detect(void);

/*
 * An entry with its MESSAGE; NULL without memory, which all functions take. Of an error, standard
 * error has the message then.
 */
struct entry *entry_new(enum event event, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A field: "SHMD_KEY=0x%08x". */
void entry_add(struct entry *entry, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A field with any bytes. */
void entry_add_data(struct entry *entry, const char *name, const void *data, size_t length);

/* Its message as one line, with its newline; returns the length. */
size_t entry_line(const struct entry *entry, char line[ENTRY_LINE_MAX]);

/* May block for as long as nobody reads. Negative errno: not sent, try again. */
int entry_send(const struct entry *entry, enum sink sink);

struct entry *entry_free(struct entry *entry);

DEFINE_CLEANUP(struct entry, entry_free)
