/* SPDX-License-Identifier: MIT
 *
 * A record is handed over when the system has taken its last byte, not when it lies in a buffer of
 * ours: so each record is flushed, and only then may it be acknowledged.
 */
#include "client/output.h"

#include "base/text.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
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

enum exit_status output_nobody(const struct options *options, uint32_t key, const char *what)
{
    output_error("%s with key 0x%08x: is shmd running? (systemctl status shmd%s%s)", what, key,
                 options->instance ? "@" : "", options->instance ? options->instance : "");
    return EXIT_NOBODY;
}

/* A negative errno value: some of what was written is lost. */
static int output_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return 0;
    }
    return errno ? -errno : -EIO;
}

enum exit_status output_end(void)
{
    int r = output_flush();

    if (r < 0) {
        output_error("cannot write to standard output: %s: mend that and try again", strerror(-r));
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

static void text_write(const char *record, size_t length)
{
    if (isatty(STDOUT_FILENO)) {
        (void)setlocale(LC_CTYPE, "");
        text_write_visible(stdout, record, length, strcmp(nl_langinfo(CODESET), "UTF-8") == 0);
    } else {
        (void)fwrite(record, 1, length, stdout);
    }
    (void)fputc('\n', stdout);
}

static void json_write(uint32_t key, int segment, const char *record, size_t length)
{
    (void)printf("{\"key\":\"0x%08x\",\"segment\":%d,\"length\":%zu,", key, segment, length);
    if (text_is_utf8(record, length)) {
        (void)fputs("\"text\":", stdout);
        text_write_json(stdout, record, length);
    } else {
        (void)fputs("\"hex\":\"", stdout);
        text_write_hex(stdout, record, length);
        (void)fputc('"', stdout);
    }
    (void)fputs("}\n", stdout);
}

int output_record(enum format format, uint32_t key, int segment, const char *record, size_t length)
{
    switch (format) {
    case FORMAT_TEXT:
        text_write(record, length);
        break;
    case FORMAT_JSON:
        json_write(key, segment, record, length);
        break;
    case FORMAT_HEX:
        text_write_hex(stdout, record, length);
        (void)fputc('\n', stdout);
        break;
    case FORMAT_RAW:
        (void)fwrite(record, 1, length, stdout);
        break;
    }
    return output_flush();
}
