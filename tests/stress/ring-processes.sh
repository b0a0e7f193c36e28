#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The ring among processes: no record is torn, repeated or skipped, except those that a reader knows
# that it lost. For 5 s in each mode; for longer:
#   SHMD_STRESS_SECONDS=30 top_builddir=BUILD tests/stress/ring-processes.sh
set -euo pipefail
export SHMD_STRESS_SECONDS=${SHMD_STRESS_SECONDS:-5}
export SHMD_TEST_TIMEOUT=$((SHMD_STRESS_SECONDS + 600))
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
top_builddir=${top_builddir:-$top_srcdir}
. "$top_srcdir/tests/tap.sh"

exchange() {
    "$top_builddir/tests/stress/ring-processes" "$1" "$SHMD_STRESS_SECONDS"
}

test_a_ring_that_waits() {
    exchange wait
}

test_a_ring_that_is_written_over() {
    exchange overwrite
}

run_tests "$@"
