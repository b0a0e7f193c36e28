#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# shmd-protocol(7) is enough to write a client from: other-language.py is one in Python, which knows
# nothing of the sources. It subscribes to both layouts, acknowledges, sleeps on its doorbell, comes
# back after the daemon was killed, is overtaken and evicted, and follows without a session.
set -euo pipefail
. "$(dirname "$0")/../peer.sh"

small_ring='layout = "ring"; size = 4096;'

need_python() {
    command -v python3 >/dev/null || skip 'python3 is not installed'
    python3 -c 'import socket; socket.recv_fds' 2>/dev/null || skip 'python3 is older than 3.9'
}

python() {
    timeout "$PATIENCE_S" python3 "$top_srcdir/tests/integration/other-language.py" "$@"
}

spawn_python() {
    python3 "$top_srcdir/tests/integration/other-language.py" subscribe \
        "$RUNTIME_DIRECTORY/shmd.sock" "$@" >"$TEST_DIR/python.out" 2>&1 &
    python_pid=$!
    wait_said python session
}

# assert_acknowledged LAST: the log has each record of the Python client once, from 1 on
assert_acknowledged() {
    stop_daemon
    sed -nE 's/.* acknowledged records? ([0-9]+)(-([0-9]+))? .*/\1 \3/p' "$log" |
        awk -v last="$1" '
            { if ($1 != at + 1) print $1, "follows", at + 0; at = $2 ? $2 : $1 }
            END { if (at != last) print "the last one is", at + 0 }' >"$TEST_DIR/wrong"
    [[ ! -s $TEST_DIR/wrong ]] || fail "$(cat "$TEST_DIR/wrong")"
    : >"$log"
}

# In each layout, with a full fence and without: records that fit into the page, and longer ones.
test_subscriber() {
    local layout no_fence
    need_python
    for layout in "$plain" "$plain size = 6000;" "$ring" "$small_ring"; do
        for no_fence in '' 1; do
            start_daemon "$layout"
            output=$(NO_FENCE=$no_fence python subscribe "$RUNTIME_DIRECTORY/shmd.sock" 2000)
            assert_contains "$output" 'took 2000 records of ' ', last 2000, lost 0'
            assert_acknowledged 2000
        done
    done
}

# What is published from now on, beside one that is slower.
test_beside_others() {
    need_python
    start_daemon "$ring"
    start_honest
    assert_contains "$(python subscribe "$RUNTIME_DIRECTORY/shmd.sock" 5000 1)" 'took 5000 records' \
        'lost 0'
    end_honest
}

# It sleeps on its doorbell while somebody slower holds everything up, and gets each record.
test_sleeps() {
    need_python
    start_daemon "$small_ring"
    spawn_follower slow 20000
    assert_contains "$(python subscribe "$RUNTIME_DIRECTORY/shmd.sock" 300)" 'took 300 records' \
        'lost 0'
    end_followers
}

# Killed under it, in both layouts: it goes on behind what it acknowledged; the log has all, once.
test_resumes() {
    local layout i taken
    need_python
    for layout in "$plain" "$ring"; do
        rm -f "$TEST_DIR/enough"
        start_daemon "$layout"
        spawn_python 1000000 2 0.001 "$TEST_DIR/enough"
        for i in 1 2 3; do
            wait_follower python
            stop_daemon KILL
            start_daemon_again
            wait_said python "session $((i + 1))"
        done
        wait_follower python
        touch "$TEST_DIR/enough"
        wait "$python_pid" || fail "$(said python)"
        taken=$(said python | sed -nE 's/^took ([0-9]+) records .*/\1/p')
        assert_contains "$(said python)" "took $taken records of 26 bytes, last $taken, lost 0"
        assert_acknowledged "$taken"
    done
}

# Where the newest data wins: what it says that it lost is what the log says.
test_overtaken() {
    local lost
    need_python
    start_daemon "$small_ring" 'when_full = "overwrite";'
    spawn_follower fast
    spawn_python 200 2 0.005
    wait "$python_pid" || fail "$(said python)"
    end_followers
    stop_daemon
    lost=$(said python | sed -nE 's/^took 200 .* lost ([0-9]+)$/\1/p')
    ((lost > 0)) || fail "$(said python)"
    assert_eq "$(sed -nE 's/.*calls itself python\) was overtaken and lost ([0-9]+) records?/\1/p' \
        "$log" | awk '{ sum += $1 } END { print sum }')" "$lost" 'lost records in the log'
    assert_eq "$(sed -nE "s/.*pid $python_pid\) .* but for ([0-9]+) lost .*/\1/p" "$log" |
        awk '{ sum += $1 } END { print sum }')" "$lost" 'records left out of the entries'
    assert_eq "$(logged "$python_pid")" "$((200 + lost))" 'records in the log'
}

# Stopped for longer than its lease: it is told.
test_evicted() {
    need_python
    start_daemon "$ring" 'lease_ms = 300;'
    spawn_python 1000000 2 0.001
    kill -STOP "$python_pid"
    wait_log 'calls itself python\) evicted'
    kill -CONT "$python_pid"
    wait "$python_pid"
    assert_contains "$(said python)" evicted
}

test_without_a_session() {
    need_python
    start_daemon
    assert_contains "$(python follow 5678 20)" 'took 20 records'
    wait_until '(($(acknowledged_records | wc -l) == 20))'
    stop_daemon
    start_daemon "$ring"
    spawn_follower one
    assert_contains "$(python follow 5678 2000)" 'took 2000 records'
    end_followers
}

test_status() {
    need_python
    start_daemon "$ring"
    assert_contains "$(python status "$RUNTIME_DIRECTORY/shmd.sock")" '"layout": "ring"' \
        "\"segment\": $(segment_id)," '"sessions": []'
}

run_tests "$@"
