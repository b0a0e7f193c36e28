/* SPDX-License-Identifier: MIT
 *
 * Allocations, of which one fails, or all from one on. Whom an allocation is for is who has called;
 * inside strdup(), asprintf() and their like it is who has called these.
 */
#undef _FORTIFY_SOURCE

#include "fault.h"
#include "ledger.h"

#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <libconfig.h>
#include <malloc.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);
int __vasprintf_chk(char **ret, int flag, const char *format, va_list arguments);
int __asprintf_chk(char **ret, int flag, const char *format, ...);

#define CALLER (behalf ? behalf : __builtin_return_address(0))

static __thread const void *behalf; /* of whom libc allocates now, if it is known */
static __thread bool looks_up;      /* libc looks up a user */

static void *entered(void *memory, const void *caller)
{
    ledger_add(memory, caller);
    return memory;
}

static bool strikes(const char *function, const void *caller)
{
    if (looks_up || !fault_strikes(function, FAULT_ALLOCATION, caller)) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return strikes("malloc", CALLER) ? NULL : entered(__libc_malloc(size), CALLER);
}

void *calloc(size_t count, size_t size)
{
    return strikes("calloc", CALLER) ? NULL : entered(__libc_calloc(count, size), CALLER);
}

void *realloc(void *memory, size_t size)
{
    const void *owner;
    void *moved;

    if (strikes("realloc", CALLER)) {
        return NULL;
    }
    owner = ledger_remove(memory);
    moved = __libc_realloc(memory, size);
    ledger_add(moved ? moved : size ? memory : NULL, owner ? owner : CALLER);
    return moved;
}

void *reallocarray(void *memory, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(memory, bytes);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    void *memory = strikes("posix_memalign", CALLER) ? NULL : __libc_memalign(alignment, size);

    if (!memory) {
        return ENOMEM;
    }
    *ret = entered(memory, CALLER);
    return 0;
}

void free(void *memory)
{
    (void)ledger_remove(memory);
    __libc_free(memory);
}

/* --- what allocates for somebody else --- */

char *strndup(const char *text, size_t length)
{
    size_t copied = strnlen(text, length);
    char *copy = strikes("strndup", CALLER) ? NULL : entered(__libc_malloc(copied + 1), CALLER);

    if (copy) {
        memcpy(copy, text, copied);
        copy[copied] = '\0';
    }
    return copy;
}

char *strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = strikes("strdup", CALLER) ? NULL : entered(__libc_malloc(size), CALLER);

    return copy ? memcpy(copy, text, size) : NULL;
}

static int print(const void *caller, char **ret, const char *format, va_list arguments)
{
    static int (*real)(char **, int, const char *, va_list);
    const void *before = behalf;
    int r;

    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "__vasprintf_chk");
    }
    behalf = caller;
    r = real(ret, 1, format, arguments);
    behalf = before;
    return r;
}

int __vasprintf_chk(char **ret, int flag, const char *format, va_list arguments)
{
    (void)flag;
    return print(CALLER, ret, format, arguments);
}

int vasprintf(char **restrict ret, const char *restrict format, va_list arguments)
{
    return print(CALLER, ret, format, arguments);
}

int __asprintf_chk(char **ret, int flag, const char *format, ...)
{
    va_list arguments;
    int r;

    (void)flag;
    va_start(arguments, format);
    r = print(CALLER, ret, format, arguments);
    va_end(arguments);
    return r;
}

int asprintf(char **restrict ret, const char *restrict format, ...)
{
    va_list arguments;
    int r;

    va_start(arguments, format);
    r = print(CALLER, ret, format, arguments);
    va_end(arguments);
    return r;
}

/* --- what takes every allocation for granted --- */

/* Whatever libc allocates meanwhile is libconfig's, which is spared. */
int config_read_string(config_t *config, const char *text)
{
    static int (*real)(config_t *, const char *);
    const void *before = behalf;
    int r;

    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "config_read_string");
    }
    behalf = *(void **)&real;
    r = real(config, text);
    behalf = before;
    return r;
}

/* glibc 2.36 dies without memory where it reads its nsswitch.conf: a look-up fails as a whole. */
struct passwd *getpwnam(const char *name)
{
    static struct passwd *(*real)(const char *);
    struct passwd *found;

    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "getpwnam");
    }
    if (fault_strikes("getpwnam", FAULT_CALL, CALLER)) {
        errno = EMFILE;
        return NULL;
    }
    looks_up = true;
    found = real(name);
    looks_up = false;
    return found;
}

struct group *getgrnam(const char *name)
{
    static struct group *(*real)(const char *);
    struct group *found;

    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "getgrnam");
    }
    if (fault_strikes("getgrnam", FAULT_CALL, CALLER)) {
        errno = EMFILE;
        return NULL;
    }
    looks_up = true;
    found = real(name);
    looks_up = false;
    return found;
}

int getpwuid_r(uid_t uid, struct passwd *restrict ret, char *restrict buffer, size_t size,
               struct passwd **restrict found)
{
    static int (*real)(uid_t, struct passwd *, char *, size_t, struct passwd **);
    int r;

    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "getpwuid_r");
    }
    if (fault_strikes("getpwuid_r", FAULT_CALL, CALLER)) {
        return EMFILE;
    }
    looks_up = true;
    r = real(uid, ret, buffer, size, found);
    looks_up = false;
    return r;
}

/* Its memory, which grows later, is realloc's. */
FILE *open_memstream(char **ret, size_t *ret_size)
{
    static FILE *(*real)(char **, size_t *);
    const void *before = behalf;
    FILE *file;

    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "open_memstream");
    }
    behalf = CALLER;
    file = real(ret, ret_size);
    behalf = before;
    return file;
}
