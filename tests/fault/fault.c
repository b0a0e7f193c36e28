/* SPDX-License-Identifier: MIT
 *
 * Everything here goes to the kernel by syscall(2): what it does itself never counts.
 */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CONTROL_BYTES 2
#define WHAT_MAX      32
#define FDS_MAX       256

struct range {
    uintptr_t begin, end;
};

static struct range shmd, libconfig;
static volatile char *control; /* NULL: nothing is counted */
static const char *report_path;
static char what[WHAT_MAX] = "";
static unsigned long fails_at;
static bool fails_on;
static atomic_bool begun;
static atomic_ulong counted;

static void widen(struct range *range, uintptr_t base, const ElfW(Phdr) * part)
{
    uintptr_t begin = base + part->p_vaddr;

    if (part->p_type != PT_LOAD) {
        return;
    }
    if (range->end == 0 || begin < range->begin) {
        range->begin = begin;
    }
    if (begin + part->p_memsz > range->end) {
        range->end = begin + part->p_memsz;
    }
}

/* The program itself comes first, and has no name. */
static int find_range(struct dl_phdr_info *object, size_t size, void *userdata)
{
    struct range *range = strstr(object->dlpi_name, "/libconfig.") ? &libconfig : &shmd;

    (void)size;
    (void)userdata;
    if (*object->dlpi_name && range == &shmd) {
        return 0;
    }
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        widen(range, object->dlpi_addr, &object->dlpi_phdr[i]);
    }
    return 0;
}

static bool is_in(const struct range *range, const void *caller)
{
    return (uintptr_t)caller >= range->begin && (uintptr_t)caller < range->end;
}

enum fault_origin fault_origin(const void *caller)
{
    return is_in(&shmd, caller)        ? ORIGIN_SHMD
           : is_in(&libconfig, caller) ? ORIGIN_LIBCONFIG
                                       : ORIGIN_OTHERS;
}

unsigned long fault_offset(const void *caller)
{
    return is_in(&shmd, caller) ? (uintptr_t)caller - shmd.begin : 0;
}

void fault_report(const char *format, ...)
{
    char line[256];
    va_list arguments;
    int length, fd;

    if (!report_path) {
        return;
    }
    va_start(arguments, format);
    length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    fd = (int)syscall(SYS_openat, AT_FDCWD, report_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    (void)syscall(SYS_write, fd, line, (size_t)length);
    (void)syscall(SYS_close, fd);
}

void fault_waits(void)
{
    if (control) {
        control[1] = '1';
    }
}

static bool is_meant(const char *function, enum fault_kind kind)
{
    return (kind == FAULT_CALL && strcmp(what, "calls") == 0) ||
           (kind == FAULT_ALLOCATION && strcmp(what, "allocations") == 0) ||
           strcmp(what, function) == 0;
}

bool fault_strikes(const char *function, enum fault_kind kind, const void *caller)
{
    enum fault_origin origin;
    unsigned long number;

    if (!control) {
        return false;
    }
    origin = fault_origin(caller);
    if (origin == ORIGIN_SHMD) {
        atomic_store(&begun, true);
    }
    if (control[0] != '1' || !is_meant(function, kind) || !atomic_load(&begun) ||
        origin == ORIGIN_LIBCONFIG) {
        return false;
    }
    number = atomic_fetch_add(&counted, 1) + 1;
    if (number == fails_at) {
        int error = errno;

        fault_report("failed %s number %lu from 0x%lx\n", function, number, fault_offset(caller));
        errno = error;
    }
    return number == fails_at || (fails_on && number > fails_at);
}

/* Reads "WHAT:N" or "WHAT:N+". */
static void read_fault(const char *text)
{
    char plus = '\0';

    if (sscanf(text, "%31[a-z0-9_]:%lu%c", what, &fails_at, &plus) < 2) {
        abort();
    }
    fails_on = plus == '+';
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("SHMD_FAULT_CONTROL");
    const char *text = getenv("SHMD_FAULT");
    long fd, memory;

    if (!path || !text) {
        return;
    }
    (void)dl_iterate_phdr(find_range, NULL);
    read_fault(text);
    report_path = getenv("SHMD_FAULT_REPORT");
    fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR);
    memory = syscall(SYS_mmap, NULL, CONTROL_BYTES, 3 /* read, write */, 1 /* shared */, fd, 0);
    (void)syscall(SYS_close, fd);
    if (fd < 0 || memory == -1) {
        abort();
    }
    control = (volatile char *)memory;
}

__attribute__((destructor)) static void end(void)
{
    unsigned long open = 0;

    if (!control) {
        return;
    }
    for (int fd = STDERR_FILENO + 1; fd < FDS_MAX; fd++) {
        open += syscall(SYS_fcntl, fd, F_GETFD) >= 0;
    }
    fault_report("counted %lu\ndescriptors %lu\n", atomic_load(&counted), open);
}
