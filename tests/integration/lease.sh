#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# P6: whatever becomes of a subscriber, nobody waits for it longer than its lease. How long that is
# exactly is no test's business on a busy machine: these show what happens, and say how long it took.
set -euo pipefail
. "$(dirname "$0")/../peer.sh"

# Longer than any case: only a closed connection can be the reason that the others go on.
forever='lease_ms = 86400000;'

# A subscriber that is stopped keeps the others waiting for its lease, and is then evicted, which is
# logged, and which it is told when it wakes.
test_stopped_subscriber_is_evicted() {
    local layout stopped
    for layout in "$plain" "$ring"; do
        : >"$log"
        rm -f "$TEST_DIR/enough"
        start_daemon "$layout" 'lease_ms = 1000;'
        start_honest
        spawn_peer stopped hello=stopped take=1 stop take=1000000 ended
        stopped=$peer_pid
        wait_until "grep -q '^State:.*T (' /proc/$stopped/status"
        wait_log 'session [0-9]+ .*calls itself stopped\) evicted: '
        assert_eq "$(session_field stopped acknowledged)" '' 'the session'
        end_honest
        kill -CONT "$stopped"
        wait "$stopped"
        assert_contains "$(said stopped)" continued 'took 0 records' '; evicted' 'ended: evicted'
        diagnose "lease 1000 ms: $(said honest | tail -n 1)"
        stop_daemon
    done
}

# One that subscribes to what is there, and never acknowledges anything, is no better.
test_subscriber_that_never_acknowledges() {
    start_daemon "$ring" 'lease_ms = 500;'
    spawn_peer idle hello=idle ended
    wait_log 'calls itself idle\) evicted'
    wait "$peer_pid"
    assert_contains "$(said idle)" 'ended: evicted'
    # What it left is there for the next one.
    assert_contains "$(peer hello=next take=3)" 'first 1 ' 'took 3 records'
}

# Slow is not stopped: each acknowledgement begins the lease anew.
test_slow_subscriber_stays() {
    start_daemon "$ring" 'lease_ms = 1000;'
    assert_contains "$(peer hello=slow slowly=300000 take=10)" 'took 10 records' '; active'
    assert_eq "$(count_log evicted)" 0
}

# One that is killed is gone at once, whatever its lease.
test_killed_subscriber_is_gone() {
    local layout killed
    for layout in "$plain" "$ring"; do
        : >"$log"
        rm -f "$TEST_DIR/enough"
        start_daemon "$layout" "$forever"
        spawn_peer killed hello=killed take=1 stop
        killed=$peer_pid
        wait_until "grep -q '^State:.*T (' /proc/$killed/status"
        spawn_peer honest hello=honest follow="$TEST_DIR/enough"
        honest_pid=$peer_pid
        wait_said honest welcome
        kill -KILL "$killed"
        wait_log 'calls itself killed\) left'
        end_honest
        assert_eq "$(count_log evicted)" 0
        diagnose "$(said honest | tail -n 1)"
        stop_daemon
    done
}

# When the newest data wins, nobody waits, and nobody is evicted.
test_overwrite_waits_for_nobody() {
    start_daemon "$ring" 'when_full = "overwrite"; lease_ms = 300;'
    spawn_peer idle hello=idle await="$TEST_DIR/enough" ended
    wait_said idle welcome
    assert_contains "$(peer next hello=fast take=10000)" 'took 10000 records'
    sleep 1
    assert_eq "$(count_log evicted)" 0
    [[ -n $(session_field idle acknowledged) ]] || fail 'its session has ended'
}

# A shorter lease holds at once, for those who owe already, too.
test_reload_of_the_lease() {
    start_daemon "$ring" "$forever"
    spawn_peer idle hello=idle ended
    wait_said idle welcome
    configure "$ring" 'lease_ms = 300;'
    reload_daemon
    wait_log 'calls itself idle\) evicted'
    wait "$peer_pid"
}

# The status says how much of the lease is left, and that less and less.
test_lease_left() {
    local before
    start_daemon "$ring" 'lease_ms = 20000;'
    spawn_peer idle hello=idle await="$TEST_DIR/enough"
    wait_said idle welcome
    before=$(session_field idle lease_left_ms)
    ((before > 0 && before <= 20000)) || fail "left: $before ms"
    wait_until "((\$(session_field idle lease_left_ms) < $before))"
}

run_tests "$@"
