#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The models once more, with more records, and with each of the bugs that can be planted in them, which
# must be found. Not part of make check, because all of it takes minutes; for who changes a model.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

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
