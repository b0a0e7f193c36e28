#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The source that CONTRIBUTING.md shows: it compiles without a warning, as it stands there, and when
# it is asked it answers.
set -euo pipefail
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
. "$top_srcdir/tests/tap.sh"

set_up() {
    cflags=(-std=gnu11 -D_GNU_SOURCE -I "$top_srcdir/src" -Wall -Wextra -Wconversion
        -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Werror)
    command -v pkg-config >/dev/null || skip 'pkg-config is not installed'
    read -ra libraries < <(pkg-config --cflags --libs libsystemd)
    read -ra compiler <<<"${CC:-cc}"
    awk '/^```$/ { inside = 0 } inside { print } /^```c$/ { inside = 1 }' \
        "$top_srcdir/CONTRIBUTING.md" >"$TEST_DIR/example.c"
    [[ -s $TEST_DIR/example.c ]] || fail 'no example in CONTRIBUTING.md'
}

test_it_compiles() {
    "${compiler[@]}" "${cflags[@]}" -c "$TEST_DIR/example.c" -o "$TEST_DIR/example.o"
}

test_it_is_a_driver() {
    local name
    name=$(sed -n 's/^const struct source_driver source_\([a-z]*\) = .*/\1/p' "$TEST_DIR/example.c")
    assert_contains "$(cat "$TEST_DIR/example.c")" ".name = \"$name\""
    cat >"$TEST_DIR/main.c" <<MAIN
#include "source/source.h"

#include <stdio.h>
#include <systemd/sd-event.h>

extern const struct source_driver source_$name;

static char place[4096];
static int answers;

static size_t on_longest(void *userdata)
{
    (void)userdata;
    return sizeof(place);
}

static char *on_place(void *userdata, size_t *length)
{
    (void)userdata;
    *length = *length < sizeof(place) ? *length : sizeof(place);
    return place;
}

static void on_deliver(void *userdata, size_t length)
{
    (void)userdata;
    (void)printf("%.*s\n", (int)length, place);
    answers++;
}

int main(void)
{
    static const struct source_host host = {.longest = on_longest, .filling = on_longest,
                                            .place = on_place, .deliver = on_deliver};
    struct source_context context = {.host = &host};
    struct source *source;

    if (sd_event_new(&context.event) < 0 ||
        source_open(&source_$name, &context, &source) < 0) {
        return 1;
    }
    for (int asked = 0; asked < 2; asked++) {
        source_ask(source);
        while (answers == asked) {
            if (sd_event_run(context.event, UINT64_MAX) < 0) {
                return 1;
            }
        }
    }
    (void)source_close(source);
    (void)sd_event_unref(context.event);
    return answers == 2 ? 0 : 1;
}
MAIN
    # The table of sources knows all drivers: only its functions are needed here.
    sed -e '/^static const struct source_driver \*const drivers/,/^};/c\
static const struct source_driver *const drivers[] = {NULL};' \
        "$top_srcdir/src/source/source.c" >"$TEST_DIR/source.c"
    "${compiler[@]}" "${cflags[@]}" "$TEST_DIR"/{example,main,source}.c -o "$TEST_DIR/try" \
        "${libraries[@]}"
    timeout "$PATIENCE_S" "$TEST_DIR/try" >"$TEST_DIR/records"
    assert_eq "$(wc -l <"$TEST_DIR/records")" 2 'records'
    [[ $(sort -nu "$TEST_DIR/records" | wc -l) == 2 ]] || fail "$(cat "$TEST_DIR/records")"
}

run_tests "$@"
