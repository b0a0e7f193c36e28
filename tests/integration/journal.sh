#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The daemon as a service, whose standard error is the journal: its entries go to journald's socket.
# Here a stand-in for journald listens there, in a /run of the case's own. P3 and P4: whatever state
# the journal is in, the daemon serves, and each acknowledgement arrives once, in the end.
set -euo pipefail
. "$(dirname "$0")/../peer.sh"

isolation+=(--mount)
if [[ -z $cannot_isolate ]] && ! "${isolation[@]}" mount -t tmpfs tmpfs /run 2>/dev/null; then
    cannot_isolate='no private mount namespace: unshare --mount is not permitted'
fi

# As systemd says it: standard error is the journal's stream.
prepare_journal() {
    mount -t tmpfs tmpfs /run
    mkdir -p /run/systemd/journal
    journal=$TEST_DIR/journal
    : >"$journal"
    JOURNAL_STREAM=$(stat --format=%d:%i "$log")
    export JOURNAL_STREAM
}

# Each entry becomes a line of all its fields, with a tab behind each: "NAME=value\n" and, where a
# newline is in the value, "NAME\n", its length in 64 bits, value, "\n".
start_journal() {
    rm -f /run/systemd/journal/socket
    perl -MSocket -e '
        socket(S, AF_UNIX, SOCK_DGRAM, 0) && bind(S, sockaddr_un($ARGV[0])) or die "$ARGV[0]: $!";
        $| = 1;
        while (defined recv(S, $_, 262144, 0)) {
            my $line = "";
            while (length) {
                if (s/^([A-Z_0-9]+)=([^\n]*)\n//) {
                    $line .= "$1=$2\t";
                } elsif (s/^([A-Z_0-9]+)\n(.{8})//s) {
                    my ($name, $length) = ($1, unpack "Q<", $2);
                    $line .= "$name=" . substr($_, 0, $length) =~ s/\n/\\n/gr . "\t";
                    $_ = substr $_, $length + 1;
                } else {
                    $line .= "GARBAGE\t";
                    last;
                }
            }
            print "$line\n";
        }' /run/systemd/journal/socket >>"$journal" &
    journald=$!
    wait_until '[[ -S /run/systemd/journal/socket ]]'
}

stop_journal() {
    kill -KILL "$journald"
    wait "$journald" 2>/dev/null || true
    rm -f /run/systemd/journal/socket
}

# journaled FIELD=VALUE…: how many entries have all of these
journaled() {
    local entries field
    entries=$(cat "$journal")
    for field; do
        entries=$(grep -P "(^|\t)$field\t" <<<"$entries") || true
    done
    grep -c . <<<"$entries" || true
}

wait_journal() {
    wait_until "((\$(journaled '$1' '${2:-.*}') >= ${3:-1}))"
}

# Every acknowledgement is there, with its number: 1…n, each once.
assert_no_gap() {
    local sequences
    sequences=$(sed -nE 's/.*\tSHMD_ACK_SEQ=([0-9]+)\t.*/\1/p' "$journal")
    assert_eq "$sequences" "$(seq "$1")" 'SHMD_ACK_SEQ of all entries'
    assert_eq "$(journaled GARBAGE)" 0 'entries that are none'
}

test_entries_and_their_fields() {
    prepare_journal
    start_journal
    start_daemon
    acknowledge
    wait_journal SHMD_EVENT=acknowledged
    assert_contains "$(peer hello=me take=1)" 'took 1 records'
    wait_journal SHMD_EVENT=acknowledged SHMD_CLIENT_VERIFIED=yes
    assert_eq "$(journaled SHMD_EVENT=acknowledged 'PRIORITY=6' 'SHMD_INSTANCE=shmd' \
        'SHMD_EPOCH=[0-9a-f]{32}' 'SHMD_KEY=0x0000162e' "SHMD_SHMID=$(segment_id)" SHMD_ACK_SEQ=1 \
        SHMD_RECORD_FIRST=1 SHMD_RECORD_LAST=1 SHMD_RECORDS=1 SHMD_BYTES=26 \
        SHMD_CLIENT_VERIFIED=no 'SHMD_LATENCY_USEC=[0-9]+')" 1 'entries about record 1'
    assert_eq "$(journaled SHMD_EVENT=acknowledged SHMD_ACK_SEQ=2 SHMD_RECORD_FIRST=2 \
        "SHMD_CLIENT_USER=$(id -un)" SHMD_CLIENT_UID=0 SHMD_CLIENT_NAME=me SHMD_SESSION=1 \
        'SHMD_CLIENT_PID=[0-9]+')" 1 'entries about record 2'
    stop_daemon
    wait_journal SHMD_EVENT=stopped 'MESSAGE_ID=0df11f68395b40a3b7a977089f7ced59'
    assert_no_gap 2
    assert_eq "$(cat "$log")" '' 'standard error'
}

# What an error message quotes may have several lines: they stay inside their field.
test_newline_in_a_value() {
    local status=0 place=$TEST_DIR/no$'\nPRIORITY=0\n'where/socket
    prepare_journal
    start_journal
    configure
    timeout "$PATIENCE_S" "$shmd" --config "$conf" --socket "$place" 2>>"$log" || status=$?
    assert_eq "$status" 69 'exit status'
    wait_journal SHMD_EVENT=start-failed 'MESSAGE=no socket .*/no\\nPRIORITY=0\\nwhere/socket: .*'
    assert_eq "$(journaled PRIORITY=0)" 0 'entries of a forged priority'
    assert_no_gap 0
}

# An entry for each acknowledgement as long as they are few; of many, there are few entries, and the
# sums are exact.
test_entries_are_fewer_than_acknowledgements() {
    local alone
    start_daemon "$plain" "$long_lease"
    assert_contains "$(peer next hello=few take=500)" 'took 500 records'
    wait_until "((\$(logged_in_all) == 500))"
    assert_eq "$(count_log 'acknowledged record [0-9]+ ')" 500 'entries of one record'
    assert_contains "$(peer next hello=many take=5000)" 'took 5000 records'
    wait_until "((\$(logged_in_all) == 5500))"
    alone=$(count_log 'acknowledged record [0-9]+ ')
    ((alone < 2500)) || fail "$alone entries of one record"
    diagnose "$(count_log 'acknowledged records? ') entries, of one record $alone"
}

# How many records the entries cover.
logged_in_all() {
    sed -nE 's/.* acknowledged records? ([0-9]+)(-([0-9]+))? .*/\1 \3/p' "$log" |
        awk '{ sum += ($2 ? $2 : $1) - $1 + 1 } END { print sum + 0 }'
}

# Not there from the start, and gone again under load: nobody waits, and nothing is lost.
test_journal_that_comes_and_goes() {
    local i
    prepare_journal
    start_daemon "$ring"
    assert_contains "$(peer hello=me take=5)" 'took 5 records'
    assert_eq "$(acknowledged_by me)" 0
    start_journal
    wait_journal SHMD_EVENT=acknowledged SHMD_RECORD_LAST=5
    for i in 1 2 3; do
        stop_journal
        assert_contains "$(peer hello=me take=5)" 'took 5 records'
        start_journal
        wait_journal SHMD_EVENT=acknowledged "SHMD_RECORD_LAST=$((5 + 5 * i))"
    done
    assert_eq "$(sed -nE 's/.*\tSHMD_RECORDS=([0-9]+)\t.*/\1/p' "$journal" |
        awk '{ sum += $1 } END { print sum }')" 20 'acknowledged records in the journal'
    assert_no_gap "$(grep -c SHMD_ACK_SEQ= "$journal")"
}

# It is there and does not read: events beyond the bound are left out, and that is said. Each peer has
# a connection of its own, besides the 400.
test_journal_that_does_not_read() {
    local i
    prepare_journal
    start_journal
    start_daemon "$ring" 'limits = { sessions = 1; };'
    spawn_peer first hello=first await="$TEST_DIR/enough"
    wait_said first welcome
    kill -STOP "$journald"
    for i in 1 2 3 4; do
        peer crowd=400 >>"$TEST_DIR/refusals"
    done
    assert_eq "$(grep -c 'refused EUSERS' "$TEST_DIR/refusals")" 1600
    kill -CONT "$journald"
    wait_journal SHMD_EVENT=entries-left-out SHMD_LEFT_OUT_EVENT=session-refused
    wait_until '(($(journaled SHMD_EVENT=session-refused) + $(left_out) >= 1604))'
    assert_eq "$(journaled SHMD_EVENT=session-refused) $(left_out)" \
        "$((1604 - $(left_out))) $(left_out)" 'refusals told and left out'
}

left_out() {
    sed -nE 's/.*\tSHMD_LEFT_OUT=([0-9]+)\t.*/\1/p' "$journal" | awk '{ sum += $1 } END { print sum + 0 }'
}

# A stop does not wait for it for ever, and the next daemon tells what this one could not.
test_stop_without_a_journal() {
    prepare_journal
    start_daemon "$ring" 'keep = true;'
    assert_contains "$(peer hello=me take=5)" 'took 5 records'
    stop_daemon
    start_journal
    start_daemon_again
    wait_journal SHMD_EVENT=acknowledged SHMD_RECORD_LAST=5
    assert_eq "$(sed -nE 's/.*\tSHMD_RECORDS=([0-9]+)\t.*/\1/p' "$journal" |
        awk '{ sum += $1 } END { print sum }')" 5 'acknowledged records in the journal'
    assert_no_gap "$(grep -c SHMD_ACK_SEQ= "$journal")"
}

# Without the journal, the same: the log is a file, and its file system is full for a while.
test_full_disk() {
    local disk=$TEST_DIR/disk record
    mkdir "$disk"
    mount -t tmpfs -o size=64k tmpfs "$disk"
    log=$disk/log
    : >"$log"
    start_daemon 'layout = "ring"; size = 65536;'
    assert_contains "$(peer hello=one take=1)" 'took 1 records'
    wait_log 'acknowledged record 1 '
    dd if=/dev/zero of="$disk/fill" bs=1k 2>/dev/null || true
    printf '%4096s' '' >>"$log" 2>/dev/null || true # the rest of its last page
    for record in 2 3 4; do
        assert_contains "$(peer hello=more take=1)" 'took 1 records'
    done
    rm "$disk/fill"
    for record in 2 3 4; do
        wait_log "acknowledged record $record "
    done
    stop_daemon
    assert_eq "$(count_log 'acknowledged record')" 4 'entries about four records'
}

run_tests "$@"
