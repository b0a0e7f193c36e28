#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What the fuzz targets assert holds for each seed, and for each input that once broke it. With
# libFuzzer or without, a target takes the names of files.
set -euo pipefail
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
. "$top_srcdir/tests/tap.sh"

fuzz=$top_srcdir/tests/fuzz

# replay TARGET: all in one process, as libFuzzer does it
replay() {
    local files
    bash "$fuzz/seeds.sh" "$TEST_DIR/seeds"
    mapfile -t files < <(find "$TEST_DIR/seeds/$1" "$fuzz/corpus/$1" "$fuzz/regressions/$1" \
        -type f 2>/dev/null | sort)
    ((${#files[@]} > 0)) || fail "no seeds of $1"
    TMPDIR=$TEST_DIR "${top_builddir:?}/tests/fuzz/$1" "${files[@]}"
    diagnose "${#files[@]} files"
}

test_adopt() {
    replay adopt
}

test_conf() {
    replay conf
}

test_follow() {
    replay follow
}

test_messages() {
    replay messages
}

test_page() {
    replay page
}

test_queue() {
    replay queue
}

test_reload() {
    unshare --ipc true 2>/dev/null || unshare --user --ipc true 2>/dev/null ||
        skip 'no IPC namespace of its own'
    replay reload
}

test_state() {
    replay state
}

# A target that is not replayed here would be forgotten.
test_each_target_is_replayed() {
    local file name
    for file in "$fuzz"/*.c; do
        name=$(basename "$file" .c)
        [[ $name == main ]] || declare -F "test_$name" >/dev/null || fail "$name is not replayed"
    done
}

run_tests "$@"
