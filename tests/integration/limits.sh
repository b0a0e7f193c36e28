#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What the kernel can refuse: the cause by its name, and nothing left behind; and the exit status says
# whether it may pass (71) or somebody has to mend it (69). The limits belong to the IPC namespace, which
# is the case's own.
set -euo pipefail
. "$(dirname "$0")/../peer.sh"

set_limit() {
    if ! echo "$2" 2>/dev/null >"/proc/sys/kernel/$1"; then
        skip "kernel.$1 cannot be set here"
    fi
    assert_eq "$(cat "/proc/sys/kernel/$1")" "$2" "kernel.$1"
}

# assert_refused STATUS WORDS
assert_refused() {
    local segments
    segments=$(count_segments)
    assert_exit "$1" timeout "$PATIENCE_S" "$shmd" --config "$conf"
    assert_contains "$output" "$2"
    assert_eq "$(count_segments)" "$segments" 'segments'
    assert_eq "$(ls -A "$RUNTIME_DIRECTORY")" '' 'files left behind'
}

# ENOSPC is about the number of segments, and not about the disk.
test_number_of_segments() {
    make_segment 99 27
    set_limit shmmni 1
    configure
    assert_refused 71 SHMMNI
}

test_size_of_a_segment() {
    set_limit shmmax 20
    configure
    assert_refused 69 SHMMAX
}

test_pages_of_all_segments() {
    make_segment 99 27
    set_limit shmall 1
    configure
    assert_refused 71 SHMALL
    configure 'size = 10000;'
    assert_refused 69 SHMALL
}

# More than there is memory, and more than the file system of the state has, whatever others give back.
test_size_beyond_the_machine() {
    # A sanitizer's malloc() ends the program instead, unless it is told.
    export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}allocator_may_return_null=1
    configure 'layout = "ring"; size = 1099511627776; allow_large = true;'
    assert_refused 69 'memory'
    assert_refused 69 'choose a smaller size'
}

# A running daemon that cannot get what a reload wants goes on as before.
test_reload_beyond_a_limit() {
    local id
    start_daemon
    id=$(segment_id)
    set_limit shmmax 100
    configure 'size = 1000;'
    reload_daemon
    assert_eq "$(segment_id)" "$id"
    wait_log SHMMAX
    acknowledge
    wait_log 'acknowledged record 1 '
}

# No memory: refused at the start, never a signal later. An address space that has room for the
# daemon's own copy, but not for the segment as well, stands for a machine that has no more.
test_memory() {
    ! grep -q __asan_init "$shmd" || skip 'AddressSanitizer needs all the address space there is'
    configure 'size = 104857600;'
    assert_exit 71 prlimit --as=$((190 * 1024 * 1024)) timeout "$PATIENCE_S" "$shmd" --config "$conf"
    assert_contains "$output" 'memory'
    assert_eq "$(count_segments)" 0
    assert_eq "$(ls -A "$RUNTIME_DIRECTORY")" '' 'files left behind'
}

# The daemon's own copy does not fit where its state is, and never will: that is said, with the place.
test_room_for_the_state() {
    configure 'size = 1099511627776; allow_large = true;'
    assert_refused 69 "$RUNTIME_DIRECTORY/key-0000162e"
    assert_contains "$output" 'larger than its whole file system: choose a smaller size'
}

# It would fit if nothing else were there: somebody may make room.
test_room_that_others_take() {
    local directory=$TEST_DIR/small status=0
    mkdir "$directory"
    configure
    mount -t tmpfs -o size=4M none "$directory" 2>/dev/null || skip 'no file system can be mounted here'
    head -c 3M /dev/zero >"$directory/full" || true
    output=$(RUNTIME_DIRECTORY="$directory" timeout "$PATIENCE_S" "$shmd" --config "$conf" 2>&1) || status=$?
    umount "$directory" # before anything can fail: where there is no namespace for it, all see it
    assert_eq "$status" 71 "exit status: $output"
    assert_contains "$output" "no state in $directory/key-0000162e" 'no room for a copy of the segment: make room'
}

# Descriptors on their way to somebody who does not take them: whose limit that is, is said, and it
# passes. Root has no such limit.
test_descriptors_in_flight() {
    daemon_prefix=(prlimit --nofile=40)
    if "${dave[@]}" true 2>/dev/null; then
        chown 1004 "$RUNTIME_DIRECTORY"
        daemon_prefix=("${dave[@]}" "${daemon_prefix[@]}")
    fi
    start_daemon 'mode = "0644";'
    spawn_peer deaf unheard=20 await="$TEST_DIR/enough"
    wait_said deaf 'unheard: 20'
    wait_until "peer hello=late | grep -q '^refused ETOOMANYREFS: .* ulimit -n$'"
    touch "$TEST_DIR/enough"
    wait "$peer_pid"
    wait_until "peer hello=later | grep -q ^welcome"
}

run_tests "$@"
