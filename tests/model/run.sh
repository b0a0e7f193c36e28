#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The models of the ring and of the doorbells: each holds what it claims, and catches each of the bugs
# that can be planted in it, so that we know that it would.
set -euo pipefail
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
top_srcdir=$(realpath "$top_srcdir")
. "$top_srcdir/tests/tap.sh"

MEMORY_MB=2048
DEPTH=100000

# explore MODEL FLAG…: all that the model can do, in $explored
explore() {
    local program
    for program in spin gcc; do
        command -v "$program" >/dev/null || skip "$program is not installed"
    done
    cd "$TEST_DIR"
    spin -a "${@:2}" "$top_srcdir/tests/model/$1.pml" >generated 2>&1 || fail "$(cat generated)"
    gcc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM="$MEMORY_MB" -o pan pan.c
    explored=$(./pan -m"$DEPTH" 2>&1) || true
}

assert_holds() {
    explore "$@"
    [[ $explored == *'errors: 0'* && $explored != *'Search not completed'* &&
        $explored != *'max search depth too small'* ]] || fail "$explored"
    diagnose "$(grep -oE '[0-9]+ states, stored' <<<"$explored")"
}

assert_caught() {
    explore "$@"
    assert_contains "$explored" 'errors: 1'
    diagnose "$(grep -E '^pan:1:' <<<"$explored")"
}

test_a_ring_that_is_written_over_loses_nothing_unnoticed() {
    assert_holds commit
}

test_a_ring_that_waits_loses_nothing() {
    assert_holds commit -DWAIT -DRECORDS=7
}

test_a_ring_that_waits_for_two_loses_nothing() {
    assert_holds commit -DWAIT -DREADERS=2 -DRECORDS=5
}

test_caught_no_fence_behind_the_tail() {
    assert_caught commit -DBUG_W1
}

test_caught_next_number_not_cleared() {
    assert_caught commit -DBUG_W2
}

test_caught_next_number_not_cleared_where_the_writer_waits() {
    assert_caught commit -DWAIT -DBUG_W2
}

test_caught_number_stored_without_release() {
    assert_caught commit -DBUG_W4
}

test_caught_number_stored_without_release_where_the_writer_waits() {
    assert_caught commit -DWAIT -DBUG_W4
}

test_caught_tail_not_looked_at_after_copying() {
    assert_caught commit -DBUG_R3
}

test_caught_tail_loaded_before_copying() {
    assert_caught commit -DBUG_R3_FENCE
}

test_caught_wrap_marker_believed_without_a_look_at_the_tail() {
    assert_caught commit -DBUG_SEEK
}

test_caught_no_room_kept_for_the_next_number() {
    assert_caught commit -DBUG_ROOM
}

test_caught_tail_moved_past_the_marker_too_early() {
    assert_caught commit -DWAIT -DBUG_SKIP
}

test_caught_groups_where_records_are_written_over() {
    assert_caught commit -DBUG_GROUP
}

test_no_wake_up_is_lost() {
    assert_holds doorbell
}

test_caught_no_fence_after_the_flag() {
    assert_caught doorbell -DBUG_S2
}

test_caught_no_fence_before_looking_at_the_flag() {
    assert_caught doorbell -DBUG_K2
}

test_caught_no_second_look_before_sleeping() {
    assert_caught doorbell -DBUG_S3
}

test_caught_bell_drained_after_the_announcement() {
    assert_caught doorbell -DBUG_DRAIN
}

run_tests "$@"
