#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The plain layout at work: a record stands in the segment until a `*` at byte 0 acknowledges it,
# and each acknowledgement is logged; whatever else is written there is noticed and repaired.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

# Acknowledges COUNT records, each as soon as it stands there.
acknowledge_many() {
    perl -e '
        my ($id, $count) = @ARGV;
        while ($count) {
            shmread($id, my $first, 0, 1) or die "shmread: $!\n";
            select(undef, undef, undef, 0.0002), next if $first eq "*";
            shmwrite($id, "*", 0, 1) or die "shmwrite: $!\n";
            $count--;
        }' "$(segment_id)" "$1"
}

# Each record is acknowledged once, and the log covers each exactly once: 1, 2, 3, …
assert_all_logged() {
    wait_until "((\$(acknowledged_records | wc -l) >= $1))"
    acknowledged_records >"$TEST_DIR/numbers"
    seq "$1" | diff - "$TEST_DIR/numbers" || fail 'the numbers are not gap-free'
}

# The line says who (as far as it is known), what, and how fast.
test_acknowledgement_is_logged() {
    local id client pattern
    start_daemon
    id=$(segment_id)
    perl -e 'shmwrite($ARGV[0], "*", 0, 1) or die "shmwrite: $!\n"' "$id" &
    client=$!
    wait "$client"
    wait_log 'acknowledged record 1 '
    pattern="^shmd: anonymous client \(pid $client, unverified\) acknowledged record 1 \(26 bytes\)"
    wait_log "$pattern after [0-9.]+ m?s\$"
    assert_eq "$(segment_read)" "$letters."
}

# A hundred acknowledgements, a hundred lines, and the numbers without a gap.
test_hundred_acknowledgements() {
    start_daemon
    acknowledge_many 100
    assert_all_logged 100
    assert_eq "$(count_log 'acknowledged record [0-9]+ \(26 bytes\)')" 100 'lines'
}

# The alphabet is repeated to fill the segment, whatever its size.
test_sizes() {
    local size
    for size in 2 26 28 4096 4097 100000; do
        start_daemon "size = $size;"
        assert_eq "$(segment_field 5678 size)" "$size"
        assert_eq "$(segment_read | tail -c 1)" . 'last byte'
        assert_eq "$(segment_read | head -c 60)" \
            "$(printf '%s' {a..z} {a..z} {a..z} | head -c "$((size - 1))" | head -c 60)$(
                ((size > 60)) || echo .)"
        acknowledge
        wait_log "acknowledged record 1 \($((size - 1)) bytes?\)"
        stop_daemon
    done
}

# Bytes other than a `*` at byte 0 are nobody's to change: said, and restored.
test_scribble_is_repaired() {
    local offset
    start_daemon
    for offset in 0 1 13 25 26; do
        segment_write "$key" "$offset" X
        wait_until '[[ $(segment_read) == "$letters." ]]'
    done
    segment_write "$key" 0 '..*..'
    wait_until '[[ $(segment_read) == "$letters." ]]'
    wait_log 'somebody wrote into segment'
    assert_eq "$(count_log 'acknowledged')" 0 'acknowledgements'
    acknowledge
    assert_all_logged 1
}

# A client that empties the segment acknowledges nothing.
test_zeros_are_a_scribble() {
    start_daemon
    perl -e 'shmwrite($ARGV[0], "", 0, 27) or die "shmwrite: $!\n"' "$(segment_id)"
    wait_until '[[ $(segment_read) == "$letters." ]]'
    assert_eq "$(count_log 'acknowledged')" 0 'acknowledgements'
}

# `*` together with a scribble is both: acknowledged, said, and the next record is whole.
test_acknowledgement_with_a_scribble() {
    start_daemon
    segment_write "$key" 0 '*XXXXXXXXXXXXXXXXXXXXXXXXXX'
    wait_until '[[ $(segment_read) == "$letters." ]]'
    assert_all_logged 1
    wait_log 'somebody wrote into segment'
}

# Whoever scribbles without end fills no journal, and takes nothing from those who acknowledge.
test_scribbling_loop() {
    local scribbler lines
    start_daemon 'poll_interval_ms = 1;'
    perl -e 'my $end = time + 6;
             while (time < $end) {
                 shmwrite($ARGV[0], "XYZ", 5, 3) or die "shmwrite: $!\n";
                 select(undef, undef, undef, 0.001);
             }' "$(segment_id)" &
    scribbler=$!
    acknowledge_many 100
    wait "$scribbler"
    wait_until '[[ $(segment_read) == "$letters." ]]'
    assert_all_logged 100
    lines=$(count_log 'somebody wrote into segment')
    diagnose "lines about some thousand scribbles: $lines"
    ((lines >= 1 && lines <= 20)) || fail "$lines lines about scribbles"
}

# Where nobody but the owner may write, nobody can acknowledge, and the daemon sleeps.
test_no_polling_where_nobody_may_write() {
    local before after from passed
    start_daemon 'mode = "0644"; poll_interval_ms = 1;'
    sleep 1
    from=$(now_msec)
    before=$(context_switches)
    sleep 3
    after=$(context_switches)
    passed=$(($(now_msec) - from))
    # Five in 3 s: a periodic look whether the segment still exists. Polling would be 3000.
    ((after - before <= 5 * passed / 3000)) || fail "woke up $((after - before)) times in $passed ms"
    assert_eq "$(segment_read)" "$letters."
}

context_switches() {
    awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$daemon/status"
}

# P4: whatever the log does, refills go on, and nothing is dropped. Here its reader is stopped, with
# the pipe full, and only two entries may wait: so entries grow to cover ranges of records.
test_log_that_is_not_read() {
    local real=$log reader
    log=$TEST_DIR/pipe
    mkfifo "$log"
    cat "$log" >"$real" &
    reader=$!
    configure 'poll_interval_ms = 1; log = { queue = 2; };'
    # Not appending: that would be an error for a FIFO that is read at the same time.
    start_daemon_again
    log=$real
    kill -STOP "$reader"
    acknowledge_many 1500
    kill -CONT "$reader"
    acknowledge_many 10
    assert_all_logged 1510
    assert_eq "$(count_log 'acknowledged records [0-9]+-[0-9]+ ' | sed 's/^[1-9].*/some/')" some \
        'entries that cover a range'
}

# Acknowledgements are logged always, whatever the level.
test_level_does_not_hide_acknowledgements() {
    start_daemon 'log = { level = "err"; };'
    acknowledge_many 5
    assert_all_logged 5
    assert_eq "$(grep -vc 'acknowledged record' "$log")" 0 'other lines'
}

# What the service manager is told.
test_notifications() {
    export WATCHDOG_USEC=500000
    start_daemon
    unset WATCHDOG_USEC
    assert_contains "$(cat "$notify")" 'STATUS='
    acknowledge_many 3
    wait_until '(($(grep -c "^WATCHDOG=1$" "$notify") >= 4))'
    wait_until 'grep -qE "^STATUS=.*\b3\b" "$notify"'
    stop_daemon
    wait_until 'grep -q "^STOPPING=1$" "$notify"'
}

# A daemon without a service manager at all.
test_by_hand() {
    unset NOTIFY_SOCKET
    configure
    spawn_daemon
    wait_until '[[ -n $(segment_id) && $(segment_read) == "$letters." ]]'
    acknowledge_many 1
    assert_all_logged 1
}

run_tests "$@"
