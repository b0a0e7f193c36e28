#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Four publishers and eight subscribers under load: each subscriber gets each record of each
# publisher once, whole and in its publisher's order, RECORDS of each (10000); also when the daemon,
# a publisher and a subscriber are killed in between. For the large one:
#
#   RECORDS=1000000 SHMD_TEST_TIMEOUT=3600 top_builddir=BUILD tests/stress/push.sh
set -euo pipefail
RECORDS=${RECORDS:-10000}
. "$(dirname "$0")/../peer.sh"

publishers=(p1 p2 p3 p4)
subscribers=(s1 s2 s3 s4 s5 s6 s7 s8)

begin() {
    local name
    start_daemon 'layout = "ring"; size = 1048576;' "$long_lease" "$push"
    for name in "${subscribers[@]}"; do
        await_follower "$name"
    done
    began=$(date +%s%N)
    for name in "${publishers[@]}"; do
        spawn_producer "$name" "$RECORDS" 200
    done
}

# Until all publishers have ended, and all subscribers have got what there was.
end() {
    local producer name records
    for producer in "${producers[@]}"; do
        wait "${producer#*:}" || true
    done
    diagnose "$((${#publishers[@]} * RECORDS)) records published in $(((\
        $(date +%s%N) - began) / 1000000)) ms"
    records=$(status_field records)
    for name in "${subscribers[@]}"; do
        wait_until "((\$(acknowledged_by '$name') == $records))" "$SHMD_TEST_TIMEOUT"
    done
}

test_publishers_and_subscribers() {
    begin
    end
    end_producers
    end_followers
    assert_delivered "${subscribers[@]}"
}

# The daemon dies again and again; so do a publisher, whose records come as far as it had handed them
# in, and a subscriber, whom nobody misses.
test_whoever_is_killed() {
    local i pid killed
    begin
    for i in 1 2 3 4 5 6; do
        sleep "0.$((i * 37 % 30 + 10))"
        stop_daemon KILL
        start_daemon_again
        if ((i == 3)); then
            killed=${producers[0]#*:}
            pid=${followers[0]#*:}
            kill -KILL "$killed" "$pid" 2>/dev/null || true
            wait "$killed" "$pid" 2>/dev/null || true
            producers=("${producers[@]:1}")
            followers=("${followers[@]:1}")
            subscribers=("${subscribers[@]:1}")
        fi
    done
    end
    end_producers
    end_followers
    assert_all_got_the_same
}

# Of those that live, all; of the one that was killed, all the same.
assert_all_got_the_same() {
    local name
    for name in "${subscribers[@]}"; do
        said "$name" | grep '^from ' | sort >"$TEST_DIR/$name.from"
        cmp "$TEST_DIR/$name.from" "$TEST_DIR/${subscribers[0]}.from"
        grep -qxF "from p4: up to $RECORDS" "$TEST_DIR/$name.from" || fail "$(cat "$TEST_DIR/$name.from")"
    done
}

run_tests "$@"
