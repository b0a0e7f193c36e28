#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# shmd as a service: these cases run as root in a container that `run` has booted for them.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

acknowledge_as() {
    assert_eq "$(runuser -u "$1" -- shm-client "${@:2}")" "$letters"
}

# Each acknowledgement exactly once: SHMD_ACK_SEQ and the records covered are gap-free.
assert_all_logged() {
    assert_eq "$(values SHMD_ACK_SEQ SHMD_EVENT=acknowledged | tr '\n' ' ')" \
        "$(seq "$(count_entries SHMD_EVENT=acknowledged)" | tr '\n' ' ')" 'SHMD_ACK_SEQ'
    assert_eq "$(count_records)" "$1" 'records'
    assert_eq "$(values SHMD_RECORD_LAST SHMD_EVENT=acknowledged | tail -n 1)" "$1" 'last record'
}

# The main job: start, and any user reads the record and acknowledges it.
test_start_and_two_users() {
    systemctl start shmd
    assert_eq "$(systemctl is-active shmd)" active
    assert_eq "$(segment_field 5678 uid)" "$(id -u shmd)"
    assert_eq "$(segment_field 5678 perms) $(segment_field 5678 size)" '666 27'
    assert_eq "$(segment_read 5678)" "$letters."
    acknowledge_as alice
    acknowledge_as bob
    wait_for_entries 2 SHMD_EVENT=acknowledged
    assert_all_logged 2
    wait_until '[[ $(systemctl show --property=StatusText --value shmd) == *", 2 acknowledged"* ]]'
    diagnose "status: $(systemctl show --property=StatusText --value shmd)"
}

# What an entry of an acknowledgement says, and what it does not claim to know.
test_fields_of_an_acknowledgement() {
    local entry pid field
    systemctl start shmd
    # shellcheck disable=SC2016
    pid=$(runuser -u alice -- sh -c 'echo $$; exec shm-client --anonymous >/dev/null')
    wait_for_entries 1 SHMD_EVENT=acknowledged
    entry=$(entries SHMD_EVENT=acknowledged)
    for field in SHMD_EVENT=acknowledged SHMD_INSTANCE=shmd SHMD_KEY=0x0000162e \
        "SHMD_SHMID=$(segment_id)" SHMD_ACK_SEQ=1 SHMD_RECORD_FIRST=1 SHMD_RECORD_LAST=1 \
        SHMD_RECORDS=1 SHMD_BYTES=26 "SHMD_CLIENT_PID=$pid" SHMD_CLIENT_VERIFIED=no \
        MESSAGE_ID=9a5ff1126e2f48418c8885f72837c182 PRIORITY=6 SYSLOG_IDENTIFIER=shmd \
        _SYSTEMD_UNIT=shmd.service "_PID=$(main_pid)" "_UID=$(id -u shmd)" \
        "MESSAGE=anonymous client (pid $pid, unverified) acknowledged record 1 (26 bytes) after "; do
        assert_contains $'\n'"$entry" $'\n'"$field"
    done
    grep -qE '^SHMD_EPOCH=[0-9a-f]{32}$' <<<"$entry" || fail "no SHMD_EPOCH in $entry"
    grep -qE '^SHMD_LATENCY_USEC=[0-9]+$' <<<"$entry" || fail "no SHMD_LATENCY_USEC in $entry"
    # Nobody knows them of an anonymous client.
    for field in SHMD_CLIENT_UID SHMD_CLIENT_GID SHMD_CLIENT_USER SHMD_CLIENT_NAME; do
        [[ $entry != *"$field="* ]] || fail "$field of an anonymous client in $entry"
    done
}

# From the first entry on, each has what is common to all.
test_fields_of_all_entries() {
    local all field
    systemctl start shmd
    acknowledge_as alice
    systemctl stop shmd
    # Not those of systemd, from before it runs our program: "(shmd)".
    all=$(count_entries _EXE=/usr/sbin/shmd + SYSLOG_IDENTIFIER=shmd)
    ((all >= 5)) || fail "only $all entries"
    for field in MESSAGE MESSAGE_ID PRIORITY SHMD_EVENT SHMD_INSTANCE SHMD_EPOCH SHMD_KEY; do
        assert_eq "$(values "$field" SYSLOG_IDENTIFIER=shmd | wc -l)" "$all" "entries with $field"
    done
    assert_eq "$(values SHMD_EPOCH SYSLOG_IDENTIFIER=shmd | sort -u | wc -l)" 1 'epochs'
    for field in epoch-started segment-created started acknowledged segment-removed stopped; do
        assert_eq "$(count_entries "SHMD_EVENT=$field")" 1 "entries $field"
    done
}

# journalctl -x explains.
test_catalog() {
    systemctl start shmd
    acknowledge_as alice
    wait_for_entries 1 SHMD_EVENT=acknowledged
    assert_contains "$(journalctl --since="@$since" -x SHMD_EVENT=acknowledged)" \
        'Subject: ' 'Defined-By: shmd'
    assert_contains "$(journalctl --since="@$since" -x SHMD_EVENT=segment-created)" \
        'Subject: '
}

# What can change live does, and `systemctl reload` returns when it has.
test_reload() {
    local pid id
    systemctl start shmd
    pid=$(main_pid)
    id=$(segment_id)
    configure 'poll_interval_ms = 5;'
    systemctl reload shmd
    wait_for_entries 1 SHMD_EVENT=reload-done
    assert_eq "$(segment_id)" "$id" 'segment'
    configure 'size = 60;'
    systemctl reload shmd
    assert_eq "$(segment_field 5678 size)" 60
    configure 'key = 7777;'
    systemctl reload shmd
    assert_eq "$(segment_field 5678 size)$(segment_field 7777 size)" 27
    assert_eq "$(runuser -u alice -- shm-client)" "$letters" 'what shm-client finds by itself'
    assert_eq "$(main_pid)" "$pid" 'the process'
    wait_for_entries 3 SHMD_EVENT=reload-done
}

# A restart keeps the segment: nobody who is attached notices.
test_restart_keeps_the_segment() {
    local id pid
    systemctl start shmd
    acknowledge_as alice
    id=$(segment_id)
    pid=$(main_pid)
    systemctl restart shmd
    assert_eq "$(segment_id)" "$id" 'segment'
    [[ $(main_pid) != "$pid" ]] || fail 'it was not restarted'
    acknowledge_as bob
    wait_for_entries 2 SHMD_EVENT=acknowledged
    assert_all_logged 2
    assert_eq "$(count_entries SHMD_EVENT=segment-adopted)" 1
    assert_eq "$(values SHMD_EPOCH SYSLOG_IDENTIFIER=shmd | sort -u | wc -l)" 1 'epochs'
}

test_restart_with_an_edited_configuration() {
    systemctl start shmd
    configure 'size = 60; mode = "0660"; group = "bob";'
    systemctl restart shmd
    assert_eq "$(segment_field 5678 size) $(segment_field 5678 perms)" '60 660'
    assert_eq "$(count_segments)" 1 'segments'
}

# A refused reload: `systemctl reload` fails, the old configuration goes on, the journal says why.
test_reload_of_a_bad_configuration() {
    local id pid
    systemctl start shmd
    id=$(segment_id)
    pid=$(main_pid)
    configure 'size = 60;' 'kee = true;'
    assert_exit 1 systemctl reload shmd
    assert_contains "$(values MESSAGE _SYSTEMD_UNIT=shmd.service)" '/etc/shmd.conf:2: ' 'kee'
    assert_eq "$(systemctl is-active shmd)" active
    assert_eq "$(main_pid) $(segment_id) $(segment_field 5678 size)" "$pid $id 27"
    acknowledge_as alice --key 5678

    # The same if SIGHUP comes without the check before it.
    systemctl kill --signal=HUP shmd
    wait_for_entries 1 SHMD_EVENT=reload-refused
    assert_contains "$(values MESSAGE SHMD_EVENT=reload-refused)" '/etc/shmd.conf:2: '
    assert_eq "$(main_pid) $(segment_id) $(segment_field 5678 size)" "$pid $id 27"
    assert_eq "$(systemctl show --property=ActiveState,SubState --value shmd | xargs)" \
        'active running'
    acknowledge_as alice --key 5678
}

# What looks right may be refused all the same: the key is somebody else's.
test_reload_that_the_daemon_refuses() {
    local id
    systemctl start shmd
    id=$(segment_id)
    as alice perl -e 'shmget(6000, 27, 01000 | 0666) // die'
    configure 'key = 6000;'
    assert_exit 1 systemctl reload shmd
    assert_contains "$(values MESSAGE _SYSTEMD_UNIT=shmd.service)" 'shmd: reload refused: '
    assert_eq "$(segment_id)" "$id"
    assert_contains "$(systemctl show --property=StatusText shmd)" 'the last reload was refused'
    acknowledge_as alice --key 5678
    configure 'key = 5678; size = 30;'
    systemctl reload shmd
    [[ $(systemctl show --property=StatusText shmd) != *refused* ]]
    ipcrm -M 6000
}

# At start: a failed unit, the reason in the journal, and no loop.
test_start_with_a_bad_configuration() {
    configure 'key = 5678;' 'size = 4294967323;'
    assert_exit 1 systemctl start shmd
    assert_failed_with 78
    assert_eq "$(count_entries SHMD_EVENT=configuration-refused)" 1
    assert_contains "$(values MESSAGE SHMD_EVENT=configuration-refused)" '/etc/shmd.conf:2: ' 'size'
    assert_eq "$(count_segments)" 0

    # Mended, it starts at once.
    configure 'size = 27;'
    systemctl start shmd
    acknowledge_as alice
}

test_start_without_a_configuration() {
    rm /etc/shmd.conf
    assert_exit 1 systemctl start shmd
    assert_failed_with 78
    assert_contains "$(values MESSAGE SHMD_EVENT=configuration-refused)" '/etc/shmd.conf: '
}

# P5: SIGKILL, and systemd starts the next one on the same segment, in the same epoch.
test_kill() {
    local id pid i
    systemctl start shmd
    id=$(segment_id)
    for i in 1 2 3; do
        acknowledge_as alice
        pid=$(main_pid)
        kill -KILL "$pid"
        wait_until "[[ \$(main_pid) != $pid && \$(systemctl is-active shmd) == active ]]"
        assert_eq "$(segment_id)" "$id" "segment after kill $i"
    done
    acknowledge_as bob
    wait_for_entries 4 SHMD_EVENT=acknowledged
    assert_all_logged 4
    assert_eq "$(values SHMD_EPOCH SYSLOG_IDENTIFIER=shmd | sort -u | wc -l)" 1 'epochs'
}

# A daemon that does not move is restarted by the watchdog, and what came meanwhile is not lost.
test_watchdog() {
    local id pid started
    mkdir -p /etc/systemd/system/shmd.service.d
    printf '[Service]\nWatchdogSec=4\n' >/etc/systemd/system/shmd.service.d/watchdog.conf
    systemctl daemon-reload
    systemctl start shmd
    id=$(segment_id)
    pid=$(main_pid)
    started=$(last_ping)
    wait_until "((\$(last_ping) > $started + 5000000))"
    assert_eq "$(main_pid)" "$pid" 'a daemon that is well'
    kill -STOP "$pid"
    segment_write 5678 0 '*'
    wait_until "[[ \$(main_pid) != $pid && \$(systemctl is-active shmd) == active ]]"
    assert_eq "$(segment_id)" "$id" 'segment'
    wait_for_entries 1 SHMD_EVENT=acknowledged
    assert_all_logged 1
    acknowledge_as alice
}

last_ping() {
    systemctl show --property=WatchdogTimestampMonotonic --value shmd
}

# The shipped unit has a watchdog at all, and the daemon feeds it.
test_unit_has_a_watchdog() {
    systemctl start shmd
    assert_eq "$(systemctl show --property=WatchdogUSec --value shmd)" 10s
    assert_eq "$(systemctl show --property=Type --value shmd)" notify
}

test_stop_leaves_nothing() {
    systemctl start shmd
    acknowledge_as alice
    systemctl stop shmd
    assert_eq "$(count_segments)" 0 'segments'
    assert_eq "$(systemctl show --property=Result --value shmd)" success
    assert_eq "$(find /run/shmd -type f 2>/dev/null)" '' 'files in /run/shmd'
    assert_exit 3 runuser -u alice -- shm-client --timeout 1
}

# The quick start tries itself on an instance of its own: the record of the service stays for whom it is
# meant.
test_quickstart_on_a_machine_in_use() {
    configure 'size = 27;'
    systemctl start shmd
    assert_exit 0 /shmd/scripts/quickstart --try-service
    assert_contains "$output" "$letters" 'acknowledged record 1 (26 bytes)'
    assert_eq "$(count_entries SHMD_EVENT=acknowledged SHMD_INSTANCE=shmd)" 0
    assert_eq "$(systemctl is-active shmd)" active
    assert_eq "$(systemctl is-active shmd@quickstart || true)" inactive
    [[ ! -e /etc/shmd/quickstart.conf ]] || fail 'its configuration is still there'
    # Who is not root is told before anything is done.
    assert_exit 1 as alice /shmd/scripts/quickstart
    assert_eq "$output" 'quickstart: installing and starting a service needs root: sudo scripts/quickstart'
}

# Another shmd, whose unit would come before ours: nothing is built, and nothing restarted.
test_quickstart_where_shmd_is_elsewhere() {
    local unit=/usr/local/lib/systemd/system/shmd.service
    mkdir -p "${unit%/*}"
    sed 's|/usr/sbin/shmd|/usr/local/sbin/shmd|' /usr/lib/systemd/system/shmd.service >"$unit"
    systemctl daemon-reload
    assert_exit 1 /shmd/scripts/quickstart
    rm "$unit"
    systemctl daemon-reload
    assert_contains "$output" 'quickstart: shmd is installed as /usr/local/sbin/shmd, and quickstart installs /usr/sbin/shmd: uninstall that one first'
    [[ $output != *Building* ]] || fail "$output"
}

test_keep() {
    local id
    configure 'keep = true;'
    systemctl start shmd
    acknowledge_as alice
    id=$(segment_id)
    systemctl stop shmd
    assert_eq "$(segment_id)" "$id" 'segment after the stop'
    systemctl start shmd
    assert_eq "$(segment_id)" "$id" 'segment after the start'
    acknowledge_as alice
    wait_for_entries 2 SHMD_EVENT=acknowledged
    assert_all_logged 2
}

# Somebody has taken the key: told with all that is needed, not touched, and no loop.
test_foreign_segment() {
    local id
    runuser -u alice -- perl -e 'shmget(5678, 50, 01600) // die "shmget: $!\n"'
    id=$(segment_id)
    assert_exit 1 systemctl start shmd
    assert_failed_with 69
    assert_eq "$(count_entries SHMD_EVENT=segment-foreign)" 1
    assert_contains "$(values MESSAGE SHMD_EVENT=segment-foreign)" 'owner uid 1000' \
        "$(segment_field 5678 cpid)" '50 bytes' 'nattch 0' "ipcrm -m $id"
    assert_eq "$(segment_field 5678 size) $(segment_field 5678 nattch)" '50 0'
}

# P4: a journald that stands still delays no refill, and all is logged when it goes on.
test_journald_stopped() {
    local started i
    systemctl start shmd
    acknowledge_as alice
    kill -STOP "$(processes systemd-journal)"
    started=$SECONDS
    for i in {1..30}; do
        acknowledge_as bob --timeout "$PATIENCE_S"
    done
    diagnose "30 refills while journald stood still took $((SECONDS - started)) s"
    sleep 3
    acknowledge_as alice --timeout "$PATIENCE_S"
    kill -CONT "$(processes systemd-journal)"
    acknowledge_as bob
    wait_until '(($(count_records) == 33))'
    assert_all_logged 33
}

# journald is killed: at most what was in its hands is lost, refills go on, no number is used twice.
test_journald_killed() {
    local i last
    systemctl start shmd
    acknowledge_as alice
    systemctl kill --signal=KILL systemd-journald
    for i in {1..20}; do
        acknowledge_as bob --timeout "$PATIENCE_S"
    done
    wait_until '[[ $(values SHMD_RECORD_LAST SHMD_EVENT=acknowledged | tail -n 1) == 21 ]]'
    assert_eq "$(values SHMD_ACK_SEQ SHMD_EVENT=acknowledged | sort -n | uniq -d)" '' 'numbers twice'
    last=$(values SHMD_ACK_SEQ SHMD_EVENT=acknowledged | tail -n 1)
    (($(count_entries SHMD_EVENT=acknowledged) >= last - 1)) || fail 'more than one entry was lost'
}

# A second instance beside the main one: its own configuration, segment and name in the journal.
test_template_instance() {
    mkdir -p /etc/shmd
    echo 'key = 6000; size = 11;' >/etc/shmd/second.conf
    systemctl start shmd shmd@second
    assert_eq "$(runuser -u alice -- shm-client --instance second)" abcdefghij
    acknowledge_as alice
    wait_for_entries 2 SHMD_EVENT=acknowledged
    assert_eq "$(values SHMD_KEY SHMD_INSTANCE=second SHMD_EVENT=acknowledged)" 0x00001770
    assert_eq "$(values SHMD_KEY SHMD_INSTANCE=shmd SHMD_EVENT=acknowledged)" 0x0000162e
    assert_eq "$(values _SYSTEMD_UNIT SHMD_INSTANCE=second | sort -u)" shmd@second.service
    systemctl stop shmd
    assert_eq "$(runuser -u bob -- shm-client --instance second)" abcdefghij
    systemctl stop shmd@second
    assert_eq "$(count_segments)" 0

    # On the key of the main one it does not start.
    echo 'key = 5678;' >/etc/shmd/second.conf
    systemctl start shmd
    assert_exit 1 systemctl start shmd@second
    assert_eq "$(systemctl show --property=ExecMainStatus --value shmd@second)" 69
    acknowledge_as alice
}

# A source that runs programs: refused as installed, with an entry that says what to do, and fine
# with the drop-in.
test_source_of_programs() {
    configure 'mode = "0644"; size = 64;' \
        'source = { type = "command"; command = ["/usr/bin/echo", "from a program"]; };'
    systemctl start shmd
    wait_until '(($(count_entries SHMD_EVENT=source-failed) > 0))'
    assert_contains "$(values MESSAGE SHMD_EVENT=source-failed)" \
        '/usr/bin/echo: nothing may be executed there' 'shmd-commands.conf'
    assert_eq "$(systemctl is-active shmd)" active
    add_drop_in
    assert_eq "$(as alice shm-client)" 'from a program'
    systemd-analyze security shmd.service --no-pager --threshold=5 >"$TEST_DIR/security" ||
        fail "$(grep -E ' 0\.[0-9]+ *$' "$TEST_DIR/security")"
    diagnose "$(systemd-analyze security shmd.service --no-pager | tail -n 1)"
}

# add_drop_in [LINE…]: as the manual says, and then the service is started anew
add_drop_in() {
    mkdir -p /etc/systemd/system/shmd.service.d
    cp /usr/share/shmd/shmd-commands.conf /etc/systemd/system/shmd.service.d/
    printf '%s\n' '[Service]' "$@" >/etc/systemd/system/shmd.service.d/more.conf
    systemctl daemon-reload
    systemctl restart shmd
}

# The fan-out of the journal, with the example as it is: what anybody logs, a subscriber reads.
test_log_fan_out() {
    local pid follower
    sed 's/^mode.*/mode = "0644";/' /usr/share/doc/shmd/examples/log-fan-out.conf >/etc/shmd.conf
    systemctl start shmd
    add_drop_in 'SupplementaryGroups=systemd-journal'
    wait_until '[[ -n $(processes journalctl) ]]'
    runuser -u alice -- timeout "$PATIENCE_S" shm-client follow >"$TEST_DIR/followed" &
    follower=$!
    wait_until "logger 'for the fan-out'; grep -q 'for the fan-out' '$TEST_DIR/followed'"
    # It is run again when it was killed, and ends with the service.
    pid=$(processes journalctl)
    kill -KILL "$pid"
    wait_until "processes journalctl | grep -qvx $pid"
    wait_until '[[ $(values MESSAGE SHMD_EVENT=source-ended) == *SIGKILL* ]]'
    systemctl stop shmd
    wait_until '[[ -z $(processes journalctl) ]]'
    kill "$follower"
    wait "$follower" || true
    assert_eq "$(processes shm-client)" ''
}

# Files: what the service may see, and that a watched one is published when it is replaced.
test_source_of_a_file() {
    echo first >/etc/flags
    cp /usr/share/doc/shmd/examples/feature-flags.conf /etc/shmd.conf
    systemctl start shmd
    assert_eq "$(as alice shm-client)" first
    echo second >/etc/flags.new
    mv /etc/flags.new /etc/flags
    assert_eq "$(as alice shm-client)" second
    # Under /home it sees nothing.
    mkdir -p /home/alice
    echo hidden >/home/alice/flags
    sed -i 's|/etc/flags|/home/alice/flags|' /etc/shmd.conf
    systemctl reload shmd
    # The file may have been published once more before: it is asked for when that is acknowledged.
    wait_until 'as alice shm-client --timeout 1 >/dev/null 2>&1 || true
        (($(count_entries SHMD_EVENT=source-failed) > 0))'
    assert_contains "$(values MESSAGE SHMD_EVENT=source-failed)" '/home/alice/flags: '
    rm -rf /etc/flags /home/alice/flags
}

test_exposure() {
    local unit
    for unit in shmd.service shmd@second.service; do
        diagnose "$(systemd-analyze security "$unit" --no-pager | tail -n 1)"
        systemd-analyze security "$unit" --no-pager --threshold=5 >"$TEST_DIR/security" ||
            fail "$(grep -E ' 0\.[0-9]+ *$' "$TEST_DIR/security")"
    done
}

test_verify_is_silent() {
    assert_eq "$(systemd-analyze verify --man=no shmd.service shmd@second.service 2>&1 |
        grep -i shmd)" ''
}

# Enabled, it is there before anybody can log in and take the key.
test_enable() {
    systemctl enable shmd
    assert_eq "$(systemctl is-enabled shmd)" enabled
    assert_contains "$(systemctl show --property=Before --value shmd)" systemd-user-sessions.service
    systemctl disable shmd
}

# Measures; a virtual machine under load is no place to hold times, so those are only shown.
test_measures() {
    local pid before after resident started active
    systemctl start shmd
    pid=$(main_pid)
    started=$(systemctl show --property=ExecMainStartTimestampMonotonic --value shmd)
    active=$(systemctl show --property=ActiveEnterTimestampMonotonic --value shmd)
    diagnose "start to READY=1: $((active - started)) us (50000)"
    before=$(processor_time "$pid")
    sleep 10
    after=$(processor_time "$pid")
    diagnose "idle, polling each 10 ms: $(((after - before) / 1000)) us in 10 s (20000)"
    resident=$(awk '/^VmRSS:/ { print $2 }' "/proc/$pid/status")
    diagnose "resident: $resident KiB (6144)"
    ((resident <= 6144)) || fail "resident memory is $resident KiB"
}

# Nanoseconds on a processor, of all threads.
processor_time() {
    cat "/proc/$1/task/"*/schedstat | awk '{ sum += $1 } END { printf "%d\n", sum }'
}

# mode = "0644": no wake-ups between watchdog pings (here one each 5 s).
test_read_only_mode_sleeps() {
    local pid before after from passed
    configure 'mode = "0644";'
    systemctl start shmd
    pid=$(main_pid)
    sleep 2
    from=$(now_msec)
    before=$(context_switches "$pid")
    sleep 11
    after=$(context_switches "$pid")
    passed=$(($(now_msec) - from))
    diagnose "woke up $((after - before)) times in $passed ms"
    ((after - before <= 1 + passed / 5000)) || fail "woke up $((after - before)) times in $passed ms"
}

context_switches() {
    cat "/proc/$1/task/"*/status | awk '/^voluntary_ctxt_switches/ { sum += $2 } END { print sum }'
}

if [[ -z ${SHMD_TEST_CASE:-} ]]; then
    prepare_machine >&2
fi
run_tests "$@"
