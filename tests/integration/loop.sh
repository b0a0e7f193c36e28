#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# libshmd in somebody else's event loop (loop.c): a descriptor that becomes readable when there is
# news, whatever becomes of the daemon.
set -euo pipefail
. "$(dirname "$0")/../peer.sh"

# loop MODE…: in the foreground; spawn_loop NAME MODE…: in the background, its id in $loop_pid
loop() {
    install_program loop
    timeout "$PATIENCE_S" "$TEST_DIR/bin/loop" "$RUNTIME_DIRECTORY/shmd.sock" "$@"
}

spawn_loop() {
    install_program loop
    "$TEST_DIR/bin/loop" "$RUNTIME_DIRECTORY/shmd.sock" "${@:2}" >"$TEST_DIR/$1.out" 2>&1 &
    loop_pid=$!
    wait_said "$1" subscribed
}

# All records of a ring are held, used in place, and given back with one acknowledgement. And who is
# awake is not rung for: a pair that is busy makes no system call.
test_hold_all_and_acknowledge_at_once() {
    start_daemon "$ring" "$long_lease"
    output=$(loop hold) || fail "$output"
    diagnose "$(tail -n +2 <<<"$output" | tr '\n' ';')"
    assert_contains "$output" 'held ' 'bells while it was awake'
    (($(sed -n 's/ bells.*//p' <<<"$output") < 100)) || fail "$output"
}

# In each layout, and where the newest data wins: it sleeps, and misses nothing; nor when the daemon
# is killed and started again. The descriptor stays the same.
test_follow() {
    local layout
    for layout in "$plain" "$ring" "$ring when_full = \"overwrite\";"; do
        rm -f "$TEST_DIR/enough"
        start_daemon "$layout"
        spawn_loop loop follow "$TEST_DIR/enough"
        for _ in 1 2; do
            wait_follower loop
            stop_daemon KILL
            sleep 0.3
            start_daemon_again
        done
        wait_follower loop
        touch "$TEST_DIR/enough"
        wait "$loop_pid" || fail "$(said loop)"
        diagnose "$(tail -n 1 "$TEST_DIR/loop.out")"
        assert_contains "$(said loop)" ', lost 0, slept '
        stop_daemon
    done
}

# Without a daemon it sleeps, too: between attempts to connect that are far apart for a processor.
sleeps_without_a_daemon() {
    local before used from passed
    start_daemon "$ring" "$long_lease"
    spawn_loop loop follow "$TEST_DIR/enough" "$@"
    wait_follower loop
    stop_daemon KILL
    sleep 0.5
    from=$(now_msec)
    before=$(awk '{ print $1 }' "/proc/$loop_pid/schedstat")
    sleep 2
    used=$((($(awk '{ print $1 }' "/proc/$loop_pid/schedstat") - before) / 1000))
    passed=$(($(now_msec) - from))
    diagnose "without a daemon: $used us of processor time in $passed ms"
    ((used < passed * 1000 / 4)) || fail "it does not sleep: $used us of processor time in $passed ms"
    start_daemon_again
    wait_follower loop
    touch "$TEST_DIR/enough"
    wait "$loop_pid" || fail "$(said loop)"
}

test_sleeps_without_a_daemon() {
    sleeps_without_a_daemon
}
test_sleeps_without_a_daemon_beside_a_child() {
    sleeps_without_a_daemon child
}

# A session ends when the program ends it, whoever else holds its descriptors.
test_leaves_beside_a_child() {
    start_daemon "$ring"
    spawn_loop loop leave "$TEST_DIR/enough" child
    wait_log 'calls itself loop\) left'
    kill -0 "$loop_pid" || fail 'it has not even lived so long'
    touch "$TEST_DIR/enough"
    wait "$loop_pid"
}

# Who ignores one return value is told by another: it neither spins nor waits for ever.
test_careless() {
    start_daemon "$ring" "$short_lease"
    spawn_loop loop careless
    wait_log 'calls itself loop\) evicted'
    wait "$loop_pid" || fail "$(said loop)"
    assert_contains "$(said loop)" 'told that it was evicted'
}

# Descriptors that the kernel has no number for are no answer of a stranger.
test_few_descriptors() {
    start_daemon "$ring"
    assert_contains "$(loop few)" 'refused '
}

# … and when they are there again, a subscriber that has lost its daemon meanwhile goes on.
test_few_descriptors_for_a_while() {
    start_daemon "$ring" "$long_lease"
    spawn_loop loop follow "$TEST_DIR/enough"
    wait_follower loop
    prlimit --pid "$loop_pid" --nofile=5:
    stop_daemon KILL
    start_daemon_again
    sleep 0.5
    kill -0 "$loop_pid" || fail "$(said loop)"
    prlimit --pid "$loop_pid" --nofile=1024:
    wait_follower loop
    touch "$TEST_DIR/enough"
    wait "$loop_pid" || fail "$(said loop)"
    assert_contains "$(said loop)" ', lost 0, slept '
}

test_results() {
    local layout
    for layout in "$plain" "$ring"; do
        start_daemon "$layout" "$long_lease"
        "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" >"$TEST_DIR/another"
        assert_contains "$(loop errors)" 'all as they should be'
        stop_daemon
    done
}

run_tests "$@"
