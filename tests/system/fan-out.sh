#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# P3 with the real journal: many subscribers of three users get each record once and in order, and
# the journal accounts for all that they say they acknowledged: in all, by user and by subscriber.
# These cases run as root in a container that `run` has booted for them. With more records:
#   RECORDS=100000 SHMD_SYSTEM_TIMEOUT=3600 top_builddir=BUILD tests/system/run fan-out.sh
set -euo pipefail
export RECORDS=${RECORDS:-2000}
export SHMD_TEST_TIMEOUT=${SHMD_TEST_TIMEOUT:-$((600 + RECORDS / 50))}
. "$(dirname "$0")/lib.sh"

SUBSCRIBERS=64
RECORD_BYTES=26
users=(alice bob carol)

# One more user, and a journal that has room for all entries, but lets each service make only a few:
# what lets all of ours through is in the unit. (Where there is much room, journald multiplies
# the burst by a few.)
prepare_fan_out() {
    useradd --uid 1002 carol
    mkdir -p /etc/systemd/journald.conf.d
    printf '%s\n' '[Journal]' Storage=volatile RuntimeMaxUse=4G RuntimeKeepFree=16M \
        RuntimeMaxFiles=0 RateLimitIntervalSec=30s RateLimitBurst=50 \
        >/etc/systemd/journald.conf.d/room.conf
    systemctl restart systemd-journald
}

# subscribe RECORDS: starts all, and lets them begin when all have subscribed: each from record 1.
# $begun is when. What they acknowledged, they say in $TEST_DIR/said: lines "UID PID RECORDS".
subscribe() {
    local i pid pids=()
    mkfifo "$TEST_DIR/begin"
    exec {begin}<>"$TEST_DIR/begin"
    for ((i = 0; i < SUBSCRIBERS; i++)); do
        as "${users[i % ${#users[@]}]}" /shmd/stress/subscriber /run/shmd/shmd.sock "$1" \
            <"$TEST_DIR/begin" >>"$TEST_DIR/output-of-all" {begin}<&- &
        pids+=($!)
    done
    wait_until '(($(grep -c ready "$TEST_DIR/output-of-all") == SUBSCRIBERS))'
    begun=${EPOCHREALTIME/./}
    exec {begin}<&-
    for pid in "${pids[@]}"; do
        wait "$pid" || fail 'a subscriber failed'
    done
    sed -n 's/^acknowledged //p' "$TEST_DIR/output-of-all" >"$TEST_DIR/said"
}

# The acknowledgements in the journal, as it has them: UID PID RECORDS FIRST LAST BYTES SEQ. Only
# the service's own: others may write whatever they like.
acknowledgements() {
    local fields=(SHMD_CLIENT_UID SHMD_CLIENT_PID SHMD_RECORDS SHMD_RECORD_FIRST SHMD_RECORD_LAST
        SHMD_BYTES SHMD_ACK_SEQ)
    entries --output-fields="$(tr ' ' , <<<"${fields[*]}")" SHMD_EVENT=acknowledged \
        SHMD_CLIENT_VERIFIED=yes _SYSTEMD_UNIT=shmd.service |
        awk -F= -v fields="${fields[*]}" '
            BEGIN { count = split(fields, field, " ") }
            /^SHMD_/ { value[$1] = $2 }
            /^$/ {
                for (i = 1; i <= count; i++) {
                    printf "%s%s", value[field[i]], i < count ? " " : "\n"
                    value[field[i]] = "none"
                }
            }'
}

# The sequence numbers are 1, 2, 3, …; of each subscriber, the ranges follow each other from record
# 1 on, and say how many records and bytes they are. Prints what is not so.
check_ranges() {
    awk -v size="$RECORD_BYTES" '
        $7 != NR { print "SHMD_ACK_SEQ", $7, "stands at place", NR }
        $4 != last[$2] + 1 { print "pid", $2, "record", $4, "follows", last[$2] + 0 }
        $3 != $5 - $4 + 1 { print "pid", $2, "records", $4 "-" $5, "are said to be", $3 }
        $6 != $3 * size { print "pid", $2, "records", $4 "-" $5, "of", $6, "bytes" }
        { last[$2] = $5 }' "$TEST_DIR/journal"
}

# sums FILE COLUMNS: the records, by the first so many columns: 0 in all, 1 by user, 2 by subscriber
sums() {
    awk -v columns="$2" '
        { sum[columns > 1 ? $1 " " $2 : columns > 0 ? $1 : "all"] += $3 }
        END { for (who in sum) { printf "%s: %d\n", who, sum[who] } }' "$TEST_DIR/$1" | sort
}

# seconds_since MICROSECONDS
seconds_since() {
    local usec=$((${EPOCHREALTIME/./} - $1))
    printf '%d.%03d s' $((usec / 1000000)) $((usec / 1000 % 1000))
}

# fan_out RECORDS LINE…: to all subscribers, with this configuration
fan_out() {
    local records=$1 begun wrong columns
    configure "${@:2}" 'mode = "0644";' 'lease_ms = 86400000;'
    systemctl start shmd.socket
    subscribe "$records"
    diagnose "$records records to $SUBSCRIBERS subscribers: $(seconds_since "$begun")"
    # It ends when all is in the journal.
    systemctl stop shmd.service 2>/dev/null
    diagnose "all in the journal: after $(seconds_since "$begun")"
    assert_eq "$(wc -l <"$TEST_DIR/said")" "$SUBSCRIBERS" 'subscribers'
    assert_eq "$(sums said 1 | wc -l)" "${#users[@]}" 'users'
    assert_eq "$(sums said 0)" "all: $((SUBSCRIBERS * records))" 'what the subscribers acknowledged'

    acknowledgements >"$TEST_DIR/journal"
    diagnose "$(wc -l <"$TEST_DIR/journal") entries; $(sums journal 0); by uid $(
        sums journal 1 | paste -sd ' ')"
    wrong=$(check_ranges)
    [[ -z $wrong ]] || fail "$(head -n 20 <<<"$wrong")"
    for columns in 0 1 2; do
        assert_eq "$(sums journal "$columns")" "$(sums said "$columns")" 'what the journal has'
    done
    assert_contains "$(values MESSAGE SHMD_EVENT=stopped)" ", $((SUBSCRIBERS * records)) acknowledged"
}

test_ring() {
    fan_out "$RECORDS" 'layout = "ring";' 'size = 65536;'
}

# One record at a time: each of them wakes everybody.
test_plain() {
    fan_out "$(((RECORDS + 9) / 10))" 'layout = "plain";'
}

if [[ -z ${SHMD_TEST_CASE:-} ]]; then
    {
        prepare_machine
        prepare_fan_out
    } >&2
fi
run_tests "$@"
