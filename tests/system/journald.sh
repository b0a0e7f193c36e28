#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Bad days of the journal: journald is stopped, restarted, killed, gone, full, or flooded by others,
# while a subscriber and an anonymous client acknowledge. Whatever it is, refills go on, the watchdog
# does not fire, and afterwards the numbers of the entries tell what has arrived and what is missing:
# nothing, where the journal can keep what it was given.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

socket=/run/shmd/shmd.sock
journal_socket=/run/systemd/journal/socket
journal_units=(systemd-journald.socket systemd-journald-dev-log.socket systemd-journald-audit.socket)
REFILLS_LEAST=200 # while the journal is away

# --- the load ---

start_load() {
    trap restore_journal EXIT
    configure 'lease_ms = 86400000;'
    systemctl start shmd.socket
    as alice /shmd/programs/follower "$socket" steady "$TEST_DIR/enough" 1000 >"$TEST_DIR/steady" &
    subscriber=$!
    wait_until 'grep -q ^segment "$TEST_DIR/steady"'
    setpriv --reuid=1001 --regid=1001 --clear-groups perl -e '
        my $id = shmget(5678, 27, 0666) // die "shmget: $!\n";
        until (-e $ARGV[0]) { shmwrite($id, "*", 0, 1) or die "$!\n"; select undef, undef, undef, .05 }
    ' "$TEST_DIR/enough" &
    anonymous=$!
    restarts=$(count_restarts)
    wait_until '(($(count_published) > 200))'
}

# What the daemon says itself, for which it needs no journal.
count_published() {
    peer status | sed -nE 's/.*"records":([0-9]+),.*"sessions":.*/\1/p'
}

count_restarts() {
    systemctl show --property=NRestarts --value shmd
}

# meanwhile COMMAND…: refills go on while it runs, and until what it has done is undone
meanwhile() {
    local before seconds=$SECONDS
    before=$(count_published)
    "$@"
    wait_until "((\$(count_published) - $before >= $REFILLS_LEAST))"
    diagnose "$(($(count_published) - before)) refills in about $((SECONDS - seconds)) s: $*"
}

# Ends it when some more has been acknowledged, and with the daemon, which waits for the journal.
end_load() {
    local before
    before=$(count_published)
    wait_until "((\$(count_published) > $before + 20))"
    touch "$TEST_DIR/enough"
    wait "$subscriber" || fail "$(tail -n 3 "$TEST_DIR/steady")"
    wait "$anonymous"
    assert_eq "$(count_restarts)" "$restarts" 'restarts of the daemon'
    acknowledged=$(peer status | sed -nE 's/.*"acknowledged":([0-9]+),"rejected".*/\1/p')
    systemctl stop shmd.service shmd.socket
    audit
}

# --- what has arrived ---

# Sets $arrived and $last, entries and the greatest number among them; $records, what they cover;
# $missing, how many numbers below $last are not there, and $gaps, which; $twice, how many came twice.
audit() {
    read -r arrived last records missing twice gaps < <(
        entries SHMD_EVENT=acknowledged | awk -F= '
            $1 == "SHMD_ACK_SEQ" { arrived++; seen[$2]++; if ($2 > last) last = $2 + 0 }
            $1 == "SHMD_RECORDS" { records += $2 }
            function gap(from, to) {
                gaps = gaps (gaps ? "," : "") from (to > from ? "-" to : "")
                missing += to - from + 1
            }
            END {
                for (number = 1; number <= last; number++) {
                    if (!(number in seen)) { from = from ? from : number; continue }
                    if (from) { gap(from, number - 1); from = 0 }
                    twice += seen[number] > 1
                }
                print arrived + 0, last + 0, records + 0, missing + 0, twice + 0, gaps ? gaps : "none"
            }')
    diagnose "$arrived entries of $last about $records of $acknowledged acknowledgements;" \
        "missing $missing: $gaps"
    assert_eq "$twice" 0 'entries that came twice'
    assert_audit_agrees
}

# shm-client finds by itself what is missing, and its exit status is 0 only if nothing is.
assert_audit_agrees() {
    local verdict status=0 found vacuumed
    verdict=$(shm-client audit --since="@$since" --json) || status=$?
    found=$(sed -nE 's/.*"missing":\{"count":([0-9]+).*/\1/p' <<<"$verdict")
    vacuumed=$(sed -nE 's/.*"vacuumed":([0-9]+).*/\1/p' <<<"$verdict")
    assert_eq "$((found + vacuumed))" "$missing" 'missing and vacuumed entries in the audit'
    if ((missing == 0)); then
        assert_eq "$status" 0 "exit status of the audit: $verdict"
    elif ((found > 0)); then
        assert_eq "$status" 1 "exit status of the audit: $verdict"
    fi
    diagnose "$(shm-client audit --since="@$since" | tail -n 1)"
}

# Every entry has arrived, and they cover all that was acknowledged.
assert_nothing_missing() {
    assert_eq "$gaps" none 'missing entries'
    assert_eq "$records" "$acknowledged" 'records in the entries'
}

# --- journald ---

journald_pid() {
    systemctl show --property=MainPID --value systemd-journald.service
}

# However a case ends, the next one finds a journal that works.
restore_journal() {
    local stopped
    mapfile -t stopped < <(processes systemd-journal)
    signal_all CONT "${stopped[@]}"
    if [[ -e $journal_socket.aside ]]; then
        mv "$journal_socket.aside" "$journal_socket"
    fi
    if mountpoint -q /run/log/journal; then
        umount --lazy /run/log/journal
    fi
    rm -rf /run/systemd/journald.conf.d
    systemctl reset-failed
    systemctl start "${journal_units[@]}"
    restart_journald
}

restart_journald() {
    systemctl reset-failed systemd-journald.service
    systemctl restart systemd-journald.service
}

# Longer than the watchdog would wait.
stop_for_a_while() {
    kill -STOP "$(journald_pid)"
    sleep 12
}

test_stopped() {
    start_load
    meanwhile stop_for_a_while
    kill -CONT "$(journald_pid)"
    end_load
    assert_nothing_missing
}

# The next daemon sends what is left: a restart does not wait for a journal that reads nothing, as a
# stop does.
test_restart_while_stopped() {
    local stop_ms=5000 restarted
    start_load
    kill -STOP "$(journald_pid)"
    meanwhile sleep 2 # by then it takes no more
    restarted=${EPOCHREALTIME/./}
    systemctl restart shmd.service
    restarted=$(((${EPOCHREALTIME/./} - restarted) / 1000))
    kill -CONT "$(journald_pid)"
    diagnose "a restart took $restarted ms"
    ((restarted < stop_ms)) || fail 'a restart waits as long as a stop'
    end_load
    assert_nothing_missing
}

restart_often() {
    for _ in {1..20}; do
        restart_journald
        sleep 0.2
    done
}

test_restarted_20_times() {
    start_load
    meanwhile restart_often
    end_load
    assert_nothing_missing
}

kill_often() {
    local pid
    for _ in {1..20}; do
        pid=$(journald_pid)
        kill -KILL "$pid"
        systemctl reset-failed systemd-journald.service
        wait_until "[[ \$(journald_pid) != 0 && \$(journald_pid) != $pid ]]"
        sleep 0.1
    done
}

# assert_few_missing MOST: they are named, and as many records are missing in the entries; an entry
# that is missing covers at least one.
assert_few_missing() {
    ((missing <= $1)) || fail "$missing entries are missing, $1 at most may be: $gaps"
    ((records + missing <= acknowledged)) || fail "$records and $missing of $acknowledged"
    if ((missing == 0)); then
        assert_nothing_missing
    fi
}

# What journald has in its hands when it dies is lost: one entry at most, each time.
test_killed_20_times() {
    start_load
    meanwhile kill_often
    end_load
    assert_few_missing 20
}

stop_sockets() {
    systemctl stop "${journal_units[@]}" systemd-journald.service 2>/dev/null
    sleep 5
}

# With the socket goes what lies in its queue unread, which the kernel had taken already.
test_sockets_stopped() {
    start_load
    meanwhile stop_sockets
    systemctl start "${journal_units[@]}" systemd-journald.service
    end_load
    assert_few_missing $(($(cat /proc/sys/net/unix/max_dgram_qlen) + 1))
}

remove_socket() {
    mv "$journal_socket" "$journal_socket.aside"
    sleep 2
}

# There is nobody to refuse anything: the file is not there.
test_socket_file_gone() {
    start_load
    meanwhile remove_socket
    mv "$journal_socket.aside" "$journal_socket"
    end_load
    assert_nothing_missing
}

fill_disk() {
    dd if=/dev/zero of=/run/log/journal/filler bs=64k 2>/dev/null || true
    sleep 4
}

# Journald keeps what it has; what it drops for want of room is named, to the entry; and once there
# is room again, nothing more is missing.
test_disk_full() {
    mkdir -p /run/systemd/journald.conf.d
    printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=40M\nRuntimeKeepFree=1\nRuntimeMaxFileSize=4M\n' \
        >/run/systemd/journald.conf.d/small.conf
    mount -t tmpfs -o size=32m,mode=0755 tmpfs /run/log/journal
    restart_journald
    start_load
    meanwhile fill_disk
    rm /run/log/journal/filler
    full_until=$(values SHMD_ACK_SEQ SHMD_EVENT=acknowledged | sort -n | tail -n 1)
    end_load
    ((missing > 0)) || fail 'the disk was not full'
    ((records < acknowledged)) || fail "$records records in the entries of $acknowledged"
    ((last > full_until)) || fail "nothing was logged after $full_until"
}

# flood SECONDS: alice sends entries of her own, as fast as journald takes them
flood() {
    setpriv --reuid=1000 --regid=1000 --clear-groups timeout "$1" perl -MSocket -e '
        socket(S, AF_UNIX, SOCK_DGRAM, 0) or die; connect(S, sockaddr_un($ARGV[0])) or die "$!\n";
        send(S, "MESSAGE=flood $_\nPRIORITY=6\n", 0) for 1 .. 1e9' "$journal_socket" || true
}

test_flooded_by_another_user() {
    start_load
    meanwhile flood 5
    end_load
    assert_nothing_missing
}

if [[ -z ${SHMD_TEST_CASE:-} ]]; then
    prepare_machine >&2
fi
run_tests "$@"
