#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Many subscribers of three users: each gets each record once and in order, and the log accounts for
# all of them, exactly. With more records:
#   RECORDS=100000 top_builddir=BUILD tests/stress/fan-out.sh
set -euo pipefail
export RECORDS=${RECORDS:-2000}
export SHMD_TEST_TIMEOUT=${SHMD_TEST_TIMEOUT:-$((600 + RECORDS / 100))}
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
. "$top_srcdir/tests/lib.sh"

SUBSCRIBERS=64
RECORD_BYTES=26

# Starts all, and lets them begin when all have subscribed: each from record 1.
run_subscribers() {
    local i pid users=("${alice[*]}" "${bob[*]}" "${carol[*]}") prefix pids=()
    "${alice[@]}" true 2>/dev/null || users=('')
    cp "$top_builddir/tests/stress/subscriber" "$TEST_DIR/bin/"
    mkfifo "$TEST_DIR/begin"
    exec {begin}<>"$TEST_DIR/begin"
    for ((i = 0; i < SUBSCRIBERS; i++)); do
        read -ra prefix <<<"${users[i % ${#users[@]}]}"
        "${prefix[@]}" "$TEST_DIR/bin/subscriber" "$RUNTIME_DIRECTORY/shmd.sock" "$RECORDS" \
            <"$TEST_DIR/begin" >>"$TEST_DIR/ready" {begin}<&- &
        pids+=($!)
    done
    wait_until '(($(grep -c ready "$TEST_DIR/ready") == SUBSCRIBERS))'
    exec {begin}<&-
    for pid in "${pids[@]}"; do
        wait "$pid" || fail "subscriber $pid failed"
    done
}

# Of each subscriber, the log's ranges are all records, one behind the other, with all their bytes.
account() {
    sed -nE -e 's/.*\(uid ([0-9]+), pid ([0-9]+)\) acknowledged record ([0-9]+) \(([0-9]+) bytes\).*/\1 \2 \3 \3 \4/p' \
        -e 's/.*\(uid ([0-9]+), pid ([0-9]+)\) acknowledged records ([0-9]+)-([0-9]+) \(([0-9]+) bytes\).*/\1 \2 \3 \4 \5/p' \
        "$log" |
        awk -v subscribers="$SUBSCRIBERS" -v records="$RECORDS" -v size="$RECORD_BYTES" '
            $3 != last[$2] + 1 { print "pid", $2, "record", $3, "follows", last[$2] + 0; bad = 1 }
            $5 != ($4 - $3 + 1) * size { print "pid", $2, "records", $3, $4, "of", $5, "bytes"; bad = 1 }
            { last[$2] = $4; sum += $4 - $3 + 1; users[$1] = 1; entries++ }
            END {
                for (pid in last) {
                    count++
                    if (last[pid] != records) { print "pid", pid, "ends at", last[pid]; bad = 1 }
                }
                for (user in users) { different++ }
                if (count != subscribers || sum != subscribers * records) { bad = 1 }
                print "#", sum, "acknowledged by", count, "of", different, "users in", entries, "entries"
                exit bad
            }'
}

# fan_out SIZE: through a ring of so many bytes
fan_out() {
    carol=(setpriv --reuid=1002 --regid=1002 --clear-groups)
    start_daemon 'layout = "ring";' "size = $1;" 'mode = "0644";' "$long_lease"
    run_subscribers
    stop_daemon
    account >"$TEST_DIR/account" || fail "$(head -n 20 "$TEST_DIR/account")"
    cat "$TEST_DIR/account"
    wait_log "stopped: [0-9]+ records, $((SUBSCRIBERS * RECORDS)) acknowledged"
}

test_each_subscriber_gets_each_record_once() {
    fan_out 65536
}

# There are more acknowledgements than entries may be made, and one entry covers more records than
# the ring holds at a time.
test_and_through_a_ring_of_a_few_records() {
    fan_out 4096
}

run_tests "$@"
