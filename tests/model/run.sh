#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The models of the ring and of the doorbells hold what they claim. (deep.sh goes further.)
set -euo pipefail
. "$(dirname "$0")/lib.sh"

test_a_ring_that_is_written_over_loses_nothing_unnoticed() {
    assert_holds commit
}

test_a_ring_that_waits_loses_nothing() {
    assert_holds commit -DWAIT -DRECORDS=5
}

test_a_ring_that_waits_for_two_loses_nothing() {
    assert_holds commit -DWAIT -DREADERS=2 -DRECORDS=4
}

test_no_wake_up_is_lost() {
    assert_holds doorbell
}

run_tests "$@"
