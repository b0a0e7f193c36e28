#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Subscribers outlive their sessions: the daemon is killed, started again, or gets another segment,
# and an application that does nothing but call the library goes on behind the last record that it
# acknowledged. What a record is, and whether it came once, in order and whole, the follower judges.
set -euo pipefail
. "$(dirname "$0")/../peer.sh"

# kill_and_restart TIMES: under load, with pauses that differ
kill_and_restart() {
    local i id
    id=$(segment_id)
    for i in $(seq "$1"); do
        sleep "0.$((i * 37 % 30 + 10))"
        stop_daemon KILL
        sleep "0.$((i * 53 % 20))"
        start_daemon_again
        assert_eq "$(segment_id)" "$id" "segment after kill $i"
    done
}

assert_one_epoch() {
    assert_eq "$(count_log 'epoch [0-9a-f]{32} begins')" 1 'epochs'
    assert_eq "$(grep -h ^segment "$TEST_DIR"/*.out | sed 's/.*epoch //' | sort -u | wc -l)" 1 'epochs'
}

# A single one: each record exactly once, in the same segment and the same epoch.
killed_under_one() {
    : >"$log"
    rm -f "$TEST_DIR/enough"
    followers=()
    start_daemon "$1"
    spawn_follower one
    kill_and_restart 5
    wait_follower one
    end_followers
    assert_eq "$(lost one)" 0 'lost records'
    assert_eq "$(grep -c ^segment "$TEST_DIR/one.out")" 1 'segments'
    assert_one_epoch
    stop_daemon
}
test_killed_under_one_subscriber() {
    killed_under_one "$plain"
    killed_under_one "$ring"
}

# Several, of whom one is slower than the others: whoever is back first does not make the daemon
# forget the others.
killed_under_several() {
    local name
    : >"$log"
    rm -f "$TEST_DIR/enough"
    followers=()
    start_daemon "$1"
    spawn_follower one
    spawn_follower two
    spawn_follower slow 200
    kill_and_restart 5
    for name in one two slow; do
        wait_follower "$name"
    done
    end_followers
    for name in one two slow; do
        assert_eq "$(lost "$name")" 0 "lost records of $name"
    done
    assert_one_epoch
    stop_daemon
}
test_killed_under_several_subscribers_plain() {
    killed_under_several "$plain"
}
test_killed_under_several_subscribers_ring() {
    killed_under_several "$ring"
}

# P3 across kills: what the application has acknowledged is what the log accounts for, once.
test_accounting_across_kills() {
    start_daemon "$ring"
    spawn_follower one
    kill_and_restart 5
    wait_follower one
    end_followers
    stop_daemon
    assert_eq "$(logged "$follower_pid")" "$(got one)" 'records logged'
    sed -nE 's/.* acknowledged records? ([0-9]+)(-([0-9]+))? .*/\1 \3/p' "$log" |
        awk '{ if ($1 != last + 1) print "after " last " comes " $1; last = $2 ? $2 : $1 }' |
        diff /dev/null - || fail 'records left out, or logged twice'
}

# A stop and a start later: another segment and another epoch, and the subscriber is there again.
test_stopped_and_started() {
    start_daemon "$ring"
    spawn_follower one
    wait_follower one
    stop_daemon
    assert_eq "$(segment_id)" '' 'segment after the stop'
    sleep 0.3
    : >"$log"
    start_daemon_again
    wait_log 'calls itself one\) subscribed from record 1$'
    wait_follower one
    touch "$TEST_DIR/enough"
    wait "$follower_pid" || true
    # A new epoch counts from 1 again: that is no record that comes twice.
    assert_eq "$(grep -c ^segment "$TEST_DIR/one.out")" 2 'segments'
}

# One that has plenty to read still notices, before anything that it reads is written over.
test_slow_subscriber_notices_a_restart() {
    start_daemon "$ring"
    spawn_follower fast
    spawn_follower slow 300000
    wait_until '(($(acknowledged_by slow) > 0))'
    stop_daemon KILL
    start_daemon_again
    wait_until '(($(count_log "calls itself slow\) subscribed") == 2))'
    end_followers
    assert_eq "$(lost slow)" 0
}

# Without a daemon for a while: it is no error, and costs little.
test_a_long_absence() {
    local before
    start_daemon "$plain"
    spawn_follower one
    stop_daemon KILL
    before=$(awk '{ print $1 }' "/proc/$follower_pid/schedstat")
    sleep 4
    diagnose "without a daemon: $((($(awk '{ print $1 }' "/proc/$follower_pid/schedstat") -
        before) / 1000)) us of processor time in 4 s"
    start_daemon_again
    wait_log 'calls itself one\) subscribed from record [0-9]+$'
    wait_follower one
    end_followers
    assert_eq "$(lost one)" 0
}

# Another segment, by reload: they are told, take what stands in the old one, and go on in the new one.
superseded() {
    local size name
    start_daemon "$1"
    spawn_follower one
    spawn_follower two
    spawn_follower slow 200
    for size in 131072 8192 65536; do
        wait_follower one
        configure "$2 size = $size;"
        reload_daemon
        wait_until "grep -q 'of $size bytes' '$TEST_DIR/one.out'"
        wait_until "grep -q 'of $size bytes' '$TEST_DIR/two.out'"
        wait_until "grep -q 'of $size bytes' '$TEST_DIR/slow.out'"
        wait_follower slow
    done
    end_followers
    for name in one two slow; do
        assert_eq "$(lost "$name")" 0 "lost records of $name"
    done
    assert_eq "$(count_log 'acknowledged .*\(0 bytes\)')" 0 'acknowledgements of nothing'
    assert_one_epoch
    assert_eq "$(count_segments)" 1
}
test_superseded_by_another_size_ring() {
    superseded "$ring" 'layout = "ring";'
}
test_superseded_by_another_size_plain() {
    superseded "$plain" 'mode = "0644";'
}

# stop_with_ten_to_read LINE…: a follower that is stopped has ten records to read, and "$follower" is
# its process; it has acknowledged two before
stop_with_ten_to_read() {
    start_daemon "$@" 'size = 65536;' "$push" "$long_lease"
    "$shm_client" follow --socket "$RUNTIME_DIRECTORY/shmd.sock" >"$TEST_DIR/out" 2>"$TEST_DIR/err" &
    follower=$!
    wait_log 'subscribed'
    seq 1 2 | "$shm_client" publish --socket "$RUNTIME_DIRECTORY/shmd.sock"
    wait_until '(($(acknowledged_records | wc -l) == 2))'
    kill -STOP "$follower"
    seq 3 12 | "$shm_client" publish --socket "$RUNTIME_DIRECTORY/shmd.sock"
}

# A ring that a reload replaces: what stands in it comes to whoever is attached, is acknowledged, and
# logged with its length.
replaced_with_ten_to_read() {
    local follower
    stop_with_ten_to_read "$@"
    configure "$@" "$push" 'size = 131072;'
    reload_daemon
    kill -CONT "$follower"
    wait_until '(($(acknowledged_records | wc -l) == 12))'
    seq 13 14 | "$shm_client" publish --socket "$RUNTIME_DIRECTORY/shmd.sock"
    wait_until '(($(acknowledged_records | wc -l) == 14))'
    kill "$follower"
    wait "$follower" || fail "$(cat "$TEST_DIR/err")"
    assert_eq "$(cat "$TEST_DIR/out")" "$(seq 14)" 'records'
    assert_eq "$(acknowledged_records)" "$(seq 14)" 'acknowledged records'
    assert_eq "$(cat "$TEST_DIR/err")" '' 'complaints'
    # Nine of one digit, and five of two.
    assert_eq "$(sed -nE 's/.*acknowledged records? .*\(([0-9]+) bytes?\).*/\1/p' "$log" |
        awk '{ sum += $1 } END { print sum }')" 19 'bytes'
}
test_replaced_with_records_to_read() {
    replaced_with_ten_to_read 'layout = "ring";'
}
test_replaced_with_records_to_read_overwrite() {
    replaced_with_ten_to_read 'layout = "ring"; when_full = "overwrite";'
}

# One that the daemon takes away when it stops: the same, but that nobody is left to be told.
test_stopped_with_records_to_read() {
    local follower
    stop_with_ten_to_read 'layout = "ring";'
    stop_daemon
    kill -CONT "$follower"
    wait_until '(($(wc -l <"$TEST_DIR/out") == 12))'
    kill "$follower"
    assert_exit_of "$follower" 3
    assert_eq "$(cat "$TEST_DIR/out")" "$(seq 12)" 'records'
    assert_contains "$(cat "$TEST_DIR/err")" 'the last records are not acknowledged'
}

# Another layout, another key, another way to be full: the same.
test_superseded_by_everything_else() {
    local segments=1 settings
    start_daemon "$ring"
    spawn_follower one
    for settings in 'mode = "0644";' 'mode = "0644"; key = 7000;' "$ring key = 7000;" \
        "$ring when_full = \"overwrite\";" "$ring"; do
        wait_follower one
        configure "$settings"
        reload_daemon
        segments=$((segments + 1))
        wait_until "((\$(grep -c ^segment '$TEST_DIR/one.out') == $segments))"
    done
    wait_follower one
    end_followers
    assert_one_epoch
}

# Somebody removes the segment: the daemon makes it anew with the same records, and nothing is lost
# to a subscriber that keeps up.
test_removed_segment() {
    export WATCHDOG_USEC=400000
    start_daemon "$ring"
    spawn_follower one
    wait_follower one
    ipcrm --shmem-key 5678
    wait_until '(($(grep -c ^segment "$TEST_DIR/one.out") == 2))'
    wait_follower one
    end_followers
    assert_eq "$(lost one)" 0 'lost records'
    assert_one_epoch
}

# Where the newest data wins, a subscriber that is stopped loses records, and learns exactly how many.
test_overtaken() {
    local before
    start_daemon "$ring" 'when_full = "overwrite";'
    spawn_follower fast
    spawn_follower stopped
    kill -STOP "$follower_pid"
    before=$(status_field records)
    wait_until "((\$(status_field records) > $before + 2048))" # the ring holds half as many
    kill -CONT "$follower_pid"
    wait_log 'calls itself stopped\) was overtaken and lost [0-9]+ record'
    wait_follower stopped
    end_followers
    (($(lost stopped) > 0)) || fail 'it has lost nothing'
    stop_daemon
    assert_eq "$(sed -nE 's/.*calls itself stopped\) was overtaken and lost ([0-9]+) records?/\1/p' \
        "$log" | awk '{ sum += $1 } END { print sum }')" "$(lost stopped)" 'lost records in the log'
}

run_tests "$@"
