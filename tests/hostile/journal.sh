#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# One user must not fill the journal, however fast it acknowledges, comes and goes: the entries about
# it are few, while the records that they cover are all that there were.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

ENTRIES_AT_ONCE=5000   # one user may have in a second, and who is faster ...
ENTRIES_PER_SECOND=200 # ... only as many more
FLOOD=20000            # acknowledgements in a second that are a flood from the first to the last second
FLOOD_SECONDS=10

# assert_few_entries UID PATTERN SECONDS [RATE]: no more than one user may have of them. On a machine
# that is too slow for a flood, each acknowledgement may have its own; so it is beside the busy
# neighbours of each round, and then the flood begins anew.
assert_few_entries() {
    local entries most=$((ENTRIES_AT_ONCE * (1 + round) + ENTRIES_PER_SECOND * ($3 + 1)))
    ((${4:-FLOOD} >= FLOOD)) || most=$((ENTRIES_AT_ONCE * ($3 + 1)))
    entries=$(count_log "\(uid $1, pid [0-9]+.*\) $2")
    diagnose "$entries entries in about $3 s, of at most $most"
    ((entries <= most)) || fail "$entries entries in about $3 s, and at most $most may be"
}

# Nobody waits for anybody who is slower, so carol has to be as fast.
at_full_speed() {
    local pid seconds=$SECONDS
    need_other_users
    start_daemon "$1"
    HONEST_PAUSE_USEC=0 start_carol
    as_alice spawn_peer alice next hello=flood follow="$TEST_DIR/enough"
    pid=$peer_pid
    beside_carol sleep "$FLOOD_SECONDS"
    end_carol
    wait "$pid"
    diagnose "$(said alice | tail -n 1)"
    assert_eq "$(logged "$pid")" "$(said alice | sed -nE 's/^took ([0-9]+) records.*/\1/p')" \
        'records logged of alice'
    seconds=$((SECONDS - seconds))
    assert_few_entries 1000 'acknowledged record' "$seconds" $(($(logged "$pid") / (seconds + 1)))
}

test_flood_of_acknowledgements() {
    at_full_speed "$ring"
}

# In a plain segment each record is acknowledged on its own.
test_flood_of_acknowledgements_of_a_plain_segment() {
    at_full_speed "$plain"
}

# Connections that are refused, and sessions that are ended, have entries as well.
test_flood_of_connections() {
    local seconds=$SECONDS
    need_other_users
    start_daemon "$ring" 'limits = { sessions = 60; sessions_per_user = 20; };'
    start_carol
    beside_carol attacker half=10000 nonsense=5000 half=10000
    end_carol
    assert_few_entries 1000 '' $((SECONDS - seconds))
}

run_tests "$@"
