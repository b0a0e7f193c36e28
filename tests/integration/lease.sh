#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# P6: whatever becomes of a subscriber, nobody waits for it longer than its lease. How long that is
# exactly is no test's business on a busy machine: these show what happens, and say how long it took.
# That nobody is evicted, they see from somebody who is, after the same lease.
set -euo pipefail
. "$(dirname "$0")/../peer.sh"

# A subscriber that is stopped keeps the others waiting for its lease, and is then evicted, which is
# logged, and which it is told when it wakes.
test_stopped_subscriber_is_evicted() {
    local layout stopped
    for layout in "$plain" "$ring"; do
        : >"$log"
        rm -f "$TEST_DIR/enough"
        start_daemon "$layout" "$short_lease"
        start_honest
        spawn_peer stopped hello=stopped take=1 stop take=1000000 ended
        stopped=$peer_pid
        wait_stopped "$stopped"
        wait_log 'session [0-9]+ .*calls itself stopped\) evicted: '
        assert_eq "$(session_field stopped acknowledged)" '' 'the session'
        end_honest
        kill -CONT "$stopped"
        wait "$stopped"
        assert_contains "$(said stopped)" continued 'took 0 records' '; evicted' 'ended: evicted'
        diagnose "$short_lease $(said honest | tail -n 1)"
        stop_daemon
    done
}

# One that subscribes to what is there, and never acknowledges anything, is no better.
test_subscriber_that_never_acknowledges() {
    start_daemon "$ring" 'lease_ms = 300;'
    spawn_peer idle hello=idle ended
    wait_log 'calls itself idle\) evicted'
    wait "$peer_pid"
    assert_contains "$(said idle)" 'ended: evicted'
    # What it left is there for the next one; whose lease would be shorter, as it is of the same user.
    configure "$ring" "$long_lease"
    reload_daemon
    assert_contains "$(peer hello=next take=3)" 'first 1 ' 'took 3 records'
}

# A word now and then is of no use, where others wait for all the rest.
test_trickle_is_evicted() {
    start_daemon "$ring" 'lease_ms = 500;'
    spawn_peer trickle hello=trickle slowly=450000 take=1000 ended
    start_honest
    wait_log 'calls itself trickle\) evicted: others have waited'
    end_honest
}

# Nor are sessions that take turns, of which each subscribes to what is there before the one before it
# goes: others wait for all of them together, and go on.
test_taking_turns_is_no_better() {
    local turn before
    start_daemon 'layout = "ring"; size = 4096;' 'lease_ms = 1000;'
    spawn_peer turn hello=turn await="$TEST_DIR/enough"
    before=$peer_pid
    wait_said turn welcome
    spawn_peer honest hello=honest take=100
    for ((turn = 1; turn <= 100; turn++)); do
        sleep 0.4
        spawn_peer turn hello=turn await="$TEST_DIR/enough"
        wait_said turn welcome
        kill "$before"
        before=$peer_pid
        ! grep -qF 'took 100 records' "$TEST_DIR/honest.out" || break
    done
    assert_contains "$(said honest)" 'took 100 records' '; active'
    diagnose "turns: $turn, $(said honest | tail -n 1)"
}

# Slow is not stopped: where nobody waits, each acknowledgement begins the lease anew.
test_slow_subscriber_stays() {
    start_daemon "$ring" "$short_lease"
    assert_contains "$(peer hello=slow slowly=350000 take=10)" 'took 10 records' '; active'
    assert_eq "$(count_log evicted)" 0
}

# One that is killed is gone at once, whatever its lease: only a closed connection can be the reason
# that the others go on.
test_killed_subscriber_is_gone() {
    local layout killed
    for layout in "$plain" "$ring"; do
        : >"$log"
        rm -f "$TEST_DIR/enough"
        start_daemon "$layout" "$long_lease"
        spawn_peer killed hello=killed take=1 stop
        killed=$peer_pid
        wait_stopped "$killed"
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
    let_a_lease_run_out
    assert_eq "$(count_log evicted)" 0
    [[ -n $(session_field idle acknowledged) ]] || fail 'its session has ended'
}

# One who comes now, to another daemon, and does the same, is evicted there. That daemon has nothing
# in common with the case's.
let_a_lease_run_out() (
    daemon=''
    conf=$TEST_DIR/other/shmd.conf
    log=$TEST_DIR/other.log
    RUNTIME_DIRECTORY=$TEST_DIR/other/run
    mkdir -p "$RUNTIME_DIRECTORY"
    : >"$log"
    start_daemon "$ring" 'key = 6000; lease_ms = 300;'
    assert_contains "$(peer hello=idle ended)" 'ended: evicted'
    stop_daemon
)

# A shorter lease holds at once, for those who owe already, too.
test_reload_of_the_lease() {
    start_daemon "$ring" "$long_lease"
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
    start_daemon "$ring" "$long_lease"
    spawn_peer idle hello=idle await="$TEST_DIR/enough"
    wait_said idle welcome
    before=$(session_field idle lease_left_ms)
    ((before > 0 && before <= 86400000)) || fail "left: $before ms"
    wait_until "((\$(session_field idle lease_left_ms) < $before))"
}

run_tests "$@"
