#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# libshmd as a program of somebody else's meets it: installed, found through pkg-config, offering what
# its map says and no more; and the examples of libshmd(3), word for word, compiled and run.
set -euo pipefail
. "$(dirname "$0")/../peer.sh"

# A make of its own, whatever started this.
install_all() {
    root=$TEST_DIR/root
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C "$top_builddir" install DESTDIR="$root" \
        >"$TEST_DIR/make.log" 2>&1 || fail "$(tail -n 20 "$TEST_DIR/make.log")"
    pc=$(find "$root" -name shmd.pc)
    [[ -n $pc ]] || fail 'no shmd.pc is installed'
}

# What shmd.pc says, for the directory that shmd was installed to instead of /. Its directories are
# absolute; pkg-config prefixes them with the sysroot.
ask_pkg_config() {
    command -v pkg-config >/dev/null || skip 'pkg-config is not installed'
    PKG_CONFIG_LIBDIR=$(dirname "$pc") PKG_CONFIG_SYSROOT_DIR=$root \
        PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 pkg-config "$@" shmd
}

# extract_example NAME: the manual's text between the two comments, with roff's escapes undone.
extract_example() {
    sed -n "/^\\.\\\\\" $1 begin\$/,/^\\.\\\\\" $1 end\$/p" "$top_srcdir/man/libshmd.3" |
        sed -e '/^\./d' -e 's/\\&//g' -e 's/\\-/-/g' -e "s/\\\\(aq/'/g" -e 's/\\(dq/"/g' \
            -e 's/\\e/\\/g' -e 's/\\(rs/\\/g' -e 's/\\(ti/~/g' -e 's/\\(ha/^/g'
}

has_sanitizers() {
    grep -q __asan_init "$(ask_pkg_config --variable=libdir)/libshmd.so"
}

# build_example NAME: $TEST_DIR/example
build_example() {
    local flags compiler
    [[ -f $top_srcdir/man/libshmd.3 ]] || fail 'no man/libshmd.3'
    extract_example "$1" >"$TEST_DIR/example.c"
    grep -q 'main(' "$TEST_DIR/example.c" || fail "no complete example of a $1 in man/libshmd.3"
    read -ra flags <<<"$(ask_pkg_config --cflags --libs)"
    read -ra compiler <<<"${CC:-cc}"
    # Who links a library with sanitizers has to bring them.
    ! has_sanitizers || compiler+=('-fsanitize=address,undefined')
    "${compiler[@]}" -std=c99 -Wall -Wextra -Werror -o "$TEST_DIR/example" "$TEST_DIR/example.c" \
        "${flags[@]}" -Wl,-rpath="$(ask_pkg_config --variable=libdir)"
}

test_pkg_config() {
    install_all
    assert_eq "$(ask_pkg_config --modversion)" "$("$shmd" --version | awk '{ print $2 }')"
    [[ -f $(ask_pkg_config --variable=includedir)/shmd.h ]] || fail 'no shmd.h where shmd.pc says'
    [[ -e $(ask_pkg_config --variable=libdir)/libshmd.so ]] || fail 'no libshmd.so where shmd.pc says'
}

# Whoever installs both finds the library that the header belongs to.
test_exported_symbols_are_those_of_the_map() {
    install_all
    command -v nm >/dev/null || skip 'nm is not installed'
    assert_eq "$(nm --dynamic --defined-only --extern-only "$(ask_pkg_config --variable=libdir)/libshmd.so" |
        awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort)" \
        "$(sed -nE 's/^ +(shmd_[a-z_]+);/\1/p' "$top_srcdir/src/lib/libshmd.map" | sort)" 'symbols'
    # … and of the header.
    assert_eq "$(grep -oE '\bshmd_[a-z_]+\(' "$top_srcdir/src/lib/shmd.h" | tr -d '(' | sort -u)" \
        "$(sed -nE 's/^ +(shmd_[a-z_]+);/\1/p' "$top_srcdir/src/lib/libshmd.map" | sort)" 'functions'
}

# It needs nothing that a program which uses it would have to know of.
test_library_needs_only_libc() {
    install_all
    ! has_sanitizers ||
        skip 'with AddressSanitizer it needs more'
    assert_eq "$(readelf --dynamic "$(ask_pkg_config --variable=libdir)/libshmd.so" |
        sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p' | grep -v '^ld-linux' | sort | tr '\n' ' ')" 'libc.so.6 '
    assert_contains "$(readelf --dynamic "$(ask_pkg_config --variable=libdir)/libshmd.so")" \
        'Library soname: [libshmd.so.0]'
}

# The example compiles without a warning, subscribes, and acknowledges the ten records that it reads.
test_example_of_a_subscriber() {
    install_all
    build_example subscriber
    start_daemon "$ring"
    assert_exit 0 timeout "$PATIENCE_S" "$TEST_DIR/example" "$RUNTIME_DIRECTORY/shmd.sock"
    assert_eq "$(grep -cE '^record [0-9]+: 26 bytes, 0 lost' <<<"$output")" 10 'records read'
    wait_until '(($(acknowledged_records | wc -l) == 10))'
    assert_contains "$(cat "$log")" 'calls itself example'
}

# … and says so if nobody is there.
test_example_without_a_daemon() {
    local client
    install_all
    for client in subscriber publisher; do
        build_example "$client"
        assert_exit 1 timeout "$PATIENCE_S" "$TEST_DIR/example" "$TEST_DIR/nobody.sock"
        assert_contains "$output" 'No such file'
    done
}

# The README's are pieces of a program: in one, they do what they say; without a daemon, and after an
# eviction, they come to an end.
build_readme_example() {
    local number=$1 flags compiler
    {
        echo '#include <shmd.h>'
        echo '#include <stdio.h>'
        echo 'static size_t made; static char data[16];'
        echo 'static inline size_t make_record(char *to) { return made++ < 3 ? (size_t)snprintf(to, 16, "%zu", made) : 0; }'
        echo 'int main(int argc, char **argv) {'
        echo 'struct shmd_options options = {.socket = argv[argc - 1], .name = "readme"};'
        echo 'struct shmd_subscriber *subscriber; struct shmd_publisher *publisher;'
        echo 'struct shmd_record record; size_t length;'
        echo '(void)subscriber; (void)publisher; (void)record; (void)length; (void)data; (void)made;'
        awk -v number="$number" '/^```/ { inside = /^```c$/; count += inside; next }
            inside && count == number' "$top_srcdir/README.md" | sed 's/(NULL, &/(\&options, \&/'
        echo 'puts(r == 0 ? "well" : r == -62 ? "evicted" : r == -2 ? "nobody" : "?"); return r != 0; }'
    } >"$TEST_DIR/example.c"
    read -ra flags <<<"$(ask_pkg_config --cflags --libs)"
    read -ra compiler <<<"${CC:-cc}"
    ! has_sanitizers || compiler+=('-fsanitize=address,undefined')
    "${compiler[@]}" -std=c11 -Wall -Wno-unused-function -o "$TEST_DIR/example" "$TEST_DIR/example.c" \
        "${flags[@]}" -Wl,-rpath="$(ask_pkg_config --variable=libdir)"
}

test_examples_of_the_readme() {
    local number example
    install_all
    for number in 1 2; do
        build_readme_example "$number"
        assert_exit 1 timeout "$PATIENCE_S" "$TEST_DIR/example" "$TEST_DIR/nobody.sock"
        assert_eq "$output" nobody
    done
    start_daemon "$ring" "$push" "$short_lease"
    assert_exit 0 timeout "$PATIENCE_S" "$TEST_DIR/example" "$RUNTIME_DIRECTORY/shmd.sock"
    build_readme_example 1
    "$TEST_DIR/example" "$RUNTIME_DIRECTORY/shmd.sock" >"$TEST_DIR/readme.out" &
    example=$!
    wait_until '(($(acknowledged_records | wc -l) == 3))'
    kill -STOP "$example"
    seq 4 | "$shm_client" publish --socket "$RUNTIME_DIRECTORY/shmd.sock"
    wait_log 'calls itself readme\) evicted'
    kill -CONT "$example"
    assert_exit_of "$example" 1
    assert_eq "$(said readme)" evicted
}

# The other one publishes ten records, and knows that they are published.
test_example_of_a_publisher() {
    install_all
    build_example publisher
    start_daemon "$ring" 'source = { type = "push"; };'
    assert_exit 0 timeout "$PATIENCE_S" "$TEST_DIR/example" "$RUNTIME_DIRECTORY/shmd.sock"
    assert_eq "$output" '10 of 10 records confirmed, 0 of them rejected'
    wait_log 'calls itself example\) publishes'
    wait_log 'calls itself example\) left, 10 records published, 0 rejected'
    assert_exit 0 "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" --count 10
    assert_eq "$output" "$(printf 'measurement %d\n' {1..10})"
}

# … and a daemon with another source tells it.
test_example_of_a_publisher_where_nobody_publishes() {
    install_all
    build_example publisher
    start_daemon "$ring"
    assert_exit 1 timeout "$PATIENCE_S" "$TEST_DIR/example" "$RUNTIME_DIRECTORY/shmd.sock"
    assert_contains "$output" 'cannot publish: Operation not supported'
}

run_tests "$@"
