/* SPDX-License-Identifier: MIT */
#include "client/output.h"
#include "client/stop.h"

#include "base/patient.h"
#include "base/text.h"
#include "conf/conf.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void output_error(const char *format, ...)
{
    va_list arguments;

    (void)fputs("shm-client: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

bool output_is_screen(int fd)
{
    const char *kind = getenv("TERM");

    return isatty(fd) && kind && *kind && strcmp(kind, "dumb") != 0;
}

void output_note(const char *text)
{
    (void)fprintf(stderr, "shm-client: %s\n", text);
}

/* What a service that could not start has left (shmd(8), FILES); false: nothing. */
static bool read_cause(const struct options *options, char *cause, size_t size)
{
    static const char ending[] = ".sock";
    size_t stem = options->socket ? strlen(options->socket) : 0;
    char path[PATH_MAX];
    FILE *file;
    bool found;

    if (stem > strlen(ending) && strcmp(options->socket + stem - strlen(ending), ending) == 0) {
        stem -= strlen(ending);
    }
    if (options->socket) {
        (void)snprintf(path, sizeof(path), "%.*s.failed", (int)stem, options->socket);
    } else {
        (void)snprintf(path, sizeof(path), RUNSTATEDIR "/shmd/%s.failed",
                       options->instance ? options->instance : CONF_MAIN_INSTANCE);
    }
    file = fopen(path, "re");
    if (!file) {
        return false;
    }
    found = fgets(cause, (int)size, file) != NULL;
    (void)fclose(file);
    for (char *c = cause; found && *c; c++) {
        *c = *c == '\n' ? '\0' : iscntrl((unsigned char)*c) ? '?' : *c;
    }
    return found;
}

const char *output_hint(const struct options *options, char hint[OUTPUT_HINT_SIZE])
{
    const char *instance = options->instance;
    char cause[OUTPUT_HINT_SIZE / 2];

    if (instance && strcmp(instance, CONF_MAIN_INSTANCE) == 0) {
        instance = NULL;
    }
    if (read_cause(options, cause, sizeof(cause))) {
        (void)snprintf(hint, OUTPUT_HINT_SIZE, "shmd could not start: %s", cause);
    } else {
        (void)snprintf(hint, OUTPUT_HINT_SIZE, "is shmd running? (systemctl status shmd%s%s)",
                       instance ? "@" : "", instance ? instance : "");
    }
    return hint;
}

enum exit_status output_nobody(const struct options *options, uint32_t key, const char *what)
{
    char hint[OUTPUT_HINT_SIZE];

    output_error("%s with key 0x%08x: %s", what, key, output_hint(options, hint));
    return EXIT_NOBODY;
}

/* The reader of our output wants no more: nobody is to be told, but whoever looks how we ended. */
static bool reader_has_gone;

bool output_is_unread(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO};

    if (poll(&output, 1, 0) == 1 && (output.revents & POLLERR)) {
        reader_has_gone = true;
    }
    return reader_has_gone;
}

int output_status(enum exit_status status)
{
    if (reader_has_gone && status != EXIT_DONE) {
        (void)signal(SIGPIPE, SIG_DFL);
        (void)raise(SIGPIPE);
    }
    return (int)status;
}

enum exit_status output_end(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (errno == EPIPE && output_is_unread()) {
            return EXIT_FAILED;
        }
        output_error("cannot write to standard output: %s: mend that and try again",
                     strerror(errno ? errno : EIO));
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

/* --- records --- */

int output_open(struct output *output, enum format format)
{
    *output = (struct output){.format = format};
    if (isatty(STDOUT_FILENO)) {
        (void)setlocale(LC_CTYPE, "");
        output->terminal = true;
        output->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    }
    output->stream = open_memstream(&output->memory, &output->size);
    return output->stream ? 0 : -ENOMEM;
}

void output_close(struct output *output)
{
    if (output->stream) {
        (void)fclose(output->stream);
        free(output->memory);
    }
    *output = (struct output){0};
}

static void text_write(const struct output *output, const struct output_record *record)
{
    if (output->terminal) {
        text_write_visible(output->stream, record->bytes, record->length, output->utf8);
    } else {
        (void)fwrite(record->bytes, 1, record->length, output->stream);
    }
    (void)fputc('\n', output->stream);
}

static void json_write(FILE *stream, const struct output_record *record)
{
    (void)fprintf(stream, "{\"key\":\"0x%08x\",\"segment\":%d,", record->key, record->segment);
    if (record->number > 0) {
        (void)fprintf(stream, "\"number\":%" PRIu64 ",\"lost\":%" PRIu64 ",", record->number,
                      record->lost);
    }
    (void)fprintf(stream, "\"length\":%zu,", record->length);
    if (text_is_utf8(record->bytes, record->length)) {
        (void)fputs("\"text\":", stream);
        text_write_json(stream, record->bytes, record->length);
    } else {
        (void)fputs("\"hex\":\"", stream);
        text_write_hex(stream, record->bytes, record->length);
        (void)fputc('"', stream);
    }
    (void)fputs("}\n", stream);
}

void output_write(struct output *output, const struct output_record *record)
{
    switch (output->format) {
    case FORMAT_TEXT:
        text_write(output, record);
        break;
    case FORMAT_JSON:
        json_write(output->stream, record);
        break;
    case FORMAT_HEX:
        text_write_hex(output->stream, record->bytes, record->length);
        (void)fputc('\n', output->stream);
        break;
    case FORMAT_RAW:
        (void)fwrite(record->bytes, 1, record->length, output->stream);
        break;
    }
}

int output_hand_over(struct output *output)
{
    int r = fflush(output->stream) != 0 || ferror(output->stream) ? -ENOMEM : 0;

    if (r == 0) {
        r = patient_write(STDOUT_FILENO, output->memory, output->size, stop_wanted);
    }
    output_discard(output);
    return r;
}

void output_discard(struct output *output)
{
    rewind(output->stream);
}
