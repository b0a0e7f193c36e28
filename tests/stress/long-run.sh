#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A long run leaves nothing behind. One daemon serves very many records to a few subscribers that
# stay, while very many sessions come and go. What it holds after a tenth of that, it holds in the
# end, and no more: memory, descriptors, threads, segments, and its state file. For each layout:
#
#   make long-run [RECORDS=N] [SESSIONS=N]        10,000,000 records and 10,000 sessions
#
# It is sampled ten times, each time with nobody there but the subscribers that stay; records go on.
# The first sample, when every buffer has been used, is what the others are compared with. All must
# be the same, but for SLACK_KB of anonymous memory, which malloc may keep for another order of the
# same requests. In the full run that is less than 8 bytes for each session, and less than 1 byte
# for each 130 records.
set -euo pipefail
export RECORDS=${RECORDS:-10000000} SESSIONS=${SESSIONS:-10000}
export SHMD_TEST_TIMEOUT=${SHMD_TEST_TIMEOUT:-$((600 + RECORDS / 5000 + SESSIONS / 10))}
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
. "$top_srcdir/tests/peer.sh"

SLACK_KB=64
VISITORS=2
STEPS=10

# resident KIND: the daemon's anonymous memory, or what it shares with its subscribers (the segment
# and their pages), in KB. This is exact; on some kernels the sums in "status" are not.
resident() {
    awk -v kind="$1" '
        $1 ~ /^[0-9a-f]+-[0-9a-f]+$/ { shared = $6 ~ /^\/(SYSV|memfd:)/ }
        $1 == "Anonymous:" && !shared { sum["anonymous"] += $2 }
        $1 == "Rss:" && shared { sum["shared"] += $2 }
        END { print sum[kind] + 0 }' "/proc/$daemon/smaps"
}

# What the daemon holds: a line of "name value" for each kind of thing.
holdings() {
    echo "descriptors $(count_descriptors .)"
    echo "threads $(find "/proc/$daemon/task" -mindepth 1 -maxdepth 1 | wc -l)"
    echo "segments $(count_segments)"
    echo "segment-bytes $(segment_field "$key" size)"
    echo "state-bytes $(stat --format=%s "$RUNTIME_DIRECTORY"/*.state)"
    echo "files $(find "$RUNTIME_DIRECTORY" -mindepth 1 | wc -l)"
    echo "shared-kb $(resident shared)"
    echo "anonymous-kb $(resident anonymous)"
}

# count_descriptors PATTERN: the daemon's, of what is called so
count_descriptors() {
    find "/proc/$daemon/fd" -type l -printf '%l\n' | grep -c "$1"
}

held() {
    sed -n "s/^$1 //p" "$TEST_DIR/$2"
}

# sample NAME: when all connections that ended are gone, that of the question included
sample() {
    local records sessions=$((SESSIONS * step / STEPS))
    records=$(status_field records)
    wait_until "((\$(count_descriptors socket:) == $sockets))"
    holdings >"$TEST_DIR/$1"
    diagnose "$records records, $sessions sessions: $(tr '\n' ' ' <"$TEST_DIR/$1")"
}

# As after the first tenth.
assert_flat() {
    local name
    for name in descriptors threads segments segment-bytes state-bytes files shared-kb; do
        assert_eq "$(held "$name" "$1")" "$(held "$name" sample-1)" "$name, in $1"
    done
    (($(held anonymous-kb "$1") <= $(held anonymous-kb sample-1) + SLACK_KB)) ||
        fail "anonymous memory grows: $(held anonymous-kb sample-1) KB, and in $1 $(
            held anonymous-kb "$1") KB"
}

# A tenth of all sessions, by several visitors at a time.
receive_visitors() {
    local i pid pids=()
    for ((i = 0; i < VISITORS; i++)); do
        "$TEST_DIR/bin/visitor" "$RUNTIME_DIRECTORY/shmd.sock" $((SESSIONS / STEPS / VISITORS)) &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || fail 'a visitor failed'
    done
}

# left_out EVENT: so many entries were left out, the log says; one user has a budget of them
left_out() {
    sed -nE "s/^shmd: ([0-9]+) more entr(y|ies) '$1' came .*/\1/p" "$log" | awk '{ n += $1 } END { print n + 0 }'
}

# long_run STAYERS LINE…
long_run() {
    local step sockets
    cp "$top_builddir/tests/stress/visitor" "$TEST_DIR/bin/"
    start_daemon "${@:2}"
    sockets=$(($(count_descriptors socket:) + $1))
    for ((step = 1; step <= $1; step++)); do
        spawn_follower "stayer-$step"
    done
    for ((step = 1; step <= STEPS; step++)); do
        receive_visitors
        wait_until "((\$(status_field records) >= RECORDS * $step / STEPS))" "$SHMD_TEST_TIMEOUT"
        sample "sample-$step"
        assert_flat "sample-$step"
    done
    end_followers
    stop_daemon
    assert_eq "$(($(count_log '\) subscribed from record') + $(left_out session-started)))" \
        $((SESSIONS + $1)) 'sessions in the log'
    assert_eq "$(count_segments)" 0 'segments'
    assert_eq "$(ls -A "$RUNTIME_DIRECTORY")" '' 'files left behind'
}

test_nothing_grows_with_a_ring() {
    long_run 3 "$ring"
}

test_nothing_grows_in_the_plain_layout() {
    long_run 1 "$plain"
}

run_tests "$@"
