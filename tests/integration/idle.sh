#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Nothing to do costs nothing: however many subscribers there are, the daemon sleeps until one of them
# rings, or until the watchdog is due.
set -euo pipefail
. "$(dirname "$0")/../peer.sh"

seconds=5

# Fed every other minute: not while we watch.
watchdog_is_far() {
    export WATCHDOG_USEC=240000000
}

# Nanoseconds on a processor, of all threads.
processor_time() {
    cat "/proc/$daemon/task/"*/schedstat | awk '{ sum += $1 } END { printf "%d\n", sum }'
}

# assert_asleep WHAT: for some seconds, no thread makes a system call. That strace comes wakes each
# thread once: what it shows until they sleep again, and it waits for them, is not counted.
assert_asleep() {
    local before trace=$TEST_DIR/trace tracer
    before=$(processor_time)
    sleep "$seconds"
    diagnose "$1: $((($(processor_time) - before) / 1000)) us of processor time in $seconds s"

    command -v strace >/dev/null || skip 'strace is not installed'
    strace -f -o "$trace" -p "$daemon" 2>"$TEST_DIR/strace" &
    tracer=$!
    wait_until '[[ -s $TEST_DIR/strace ]]'
    grep -q attached "$TEST_DIR/strace" || skip "strace is not permitted: $(cat "$TEST_DIR/strace")"
    wait_until '[[ -s $TEST_DIR/trace ]]'
    for _ in 1 2 3; do
        wait_asleep "$daemon"
        wait_asleep "$tracer"
    done
    cp "$trace" "$TEST_DIR/woken"
    sleep "$seconds"
    assert_eq "$(tail -c +$(($(wc -c <"$TEST_DIR/woken") + 1)) "$trace")" '' "system calls in $seconds s"
    kill -INT "$tracer"
    wait "$tracer" || true
    grep -q detached "$trace" || fail 'strace did not watch to the end'
}

# Sixty-four subscribers of a ring that is full: they owe, and have a day for it.
test_idle_subscribers_of_a_ring() {
    watchdog_is_far
    start_daemon "$ring" "$long_lease"
    spawn_peer crowd hello=first crowd=63 await="$TEST_DIR/enough"
    wait_said crowd 'a crowd'
    assert_eq "$(status_field subscribers)" 64
    assert_asleep '64 subscribers, ring'
    # It was asleep, and not stuck.
    assert_contains "$(peer hello=awake take=3)" 'took 3 records'
}

# The same where they have read all that there is, and the newest data wins.
test_subscribers_that_have_caught_up() {
    watchdog_is_far
    start_daemon "$ring" 'when_full = "overwrite";'
    spawn_peer crowd hello=first take=1 crowd=63 await="$TEST_DIR/enough"
    wait_said crowd 'a crowd'
    assert_asleep '64 subscribers, overwrite'
}

# And of a plain segment that only subscribers acknowledge: no polling.
test_idle_subscribers_of_a_plain_segment() {
    watchdog_is_far
    start_daemon "$plain" "$long_lease"
    spawn_peer crowd hello=first crowd=63 await="$TEST_DIR/enough"
    wait_said crowd 'a crowd'
    assert_asleep '64 subscribers, plain'
    assert_contains "$(peer status)" '"subscribers":64'
}

# The subscribers do not wake, either.
test_idle_subscriber_sleeps() {
    local before
    start_daemon "$plain" "$long_lease"
    spawn_peer first hello=first await="$TEST_DIR/enough"
    wait_said first welcome
    install_program follower
    "$TEST_DIR/bin/follower" "$RUNTIME_DIRECTORY/shmd.sock" follower "$TEST_DIR/enough" \
        >"$TEST_DIR/follower.out" &
    wait_until '[[ $(acknowledged_by follower) == 1 ]]'
    before=$(awk '{ print $1 }' "/proc/$!/schedstat")
    sleep 2
    diagnose "a subscriber that waits: $((($(awk '{ print $1 }' "/proc/$!/schedstat") - before) / 1000)) us in 2 s"
    assert_eq "$(acknowledged_by follower)" 1
}

run_tests "$@"
