#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# SIGHUP: everything that can change does, and what is wrong is refused as a whole.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

reload() {
    configure "$@"
    reload_daemon
}

# assert_refused MESSAGE-PART…: the last reload changed nothing, and the log says why
assert_refused() {
    local part
    for part; do
        wait_until '[[ $(tail -n 1 "$log") == *"$part"* ]]'
    done
    assert_eq "$(segment_id)" "$id" 'segment'
    assert_works
}

assert_works() {
    local before
    before=$(count_log 'acknowledged record')
    wait_until '[[ $(segment_read) == "$letters"* ]]'
    acknowledge
    wait_until "((\$(count_log 'acknowledged record') == $before + 1))"
    wait_until '[[ $(segment_read) == "$letters"* ]]'
}

# Nothing changed: the same segment, the same pending record, the same epoch.
test_same_configuration() {
    start_daemon
    local id
    id=$(segment_id)
    assert_works
    reload 'key = 5678;'
    assert_eq "$(segment_id)" "$id"
    wait_log 'reload'
    assert_works
    assert_eq "$(acknowledged_records | tr '\n' ' ')" '1 2 '
    assert_eq "$(count_log 'epoch [0-9a-f]{32} begins')" 1 'epochs'
}

# RELOADING=1 and then READY=1: what `systemctl reload` waits for.
test_notifications() {
    start_daemon
    reload 'key = 5678;'
    assert_eq "$(grep -E '^(RELOADING|READY)=1$' "$notify" | tr '\n' ' ')" \
        'READY=1 RELOADING=1 READY=1 '
    reload 'key = 0;'
    assert_eq "$(grep -cE '^(RELOADING|READY)=1$' "$notify")" 5
}

# As "systemctl reload" does it: another shmd checks the file, and tells the daemon.
test_told_by_another() {
    start_daemon
    configure 'size = 60;'
    assert_exit 0 env -u NOTIFY_SOCKET "$shmd" --config "$conf" --reload "$daemon"
    assert_eq "$output" ''
    wait_until '(($(count_ready) == 2))'
    assert_eq "$(segment_field "$key" size)" 60

    # What is refused, it is not even told.
    configure 'size = 61;' 'kee = true;'
    assert_exit 78 "$shmd" --reload="$daemon" --config "$conf"
    assert_contains "$output" "$conf:2: "
    assert_eq "$(count_log 'reload')" 1 'reloads'
    assert_eq "$(segment_field "$key" size)" 60
}

# As a service, whoever tells waits until it is done.
test_told_while_busy() {
    local teller
    daemon_prefix=(sh -c 'SYSTEMD_EXEC_PID=$$ exec "$@"' -)
    start_daemon 'key = 5678;'
    configure 'key = 5678; size = 60;'
    kill -STOP "$daemon"
    "${daemon_prefix[@]}" "$shmd" --config "$conf" --reload "$daemon" &
    teller=$!
    wait_until "grep -qE '^ShdPnd:.*1\$' /proc/$daemon/status"
    kill -0 "$teller"
    assert_eq "$(segment_field 5678 size)" 27
    kill -CONT "$daemon"
    wait "$teller"
    assert_eq "$(segment_field 5678 size)" 60

    kill -STOP "$daemon"
    "${daemon_prefix[@]}" "$shmd" --config "$conf" --reload "$daemon" 2>"$TEST_DIR/told" &
    teller=$!
    wait_until "grep -qE '^ShdPnd:.*1\$' /proc/$daemon/status"
    stop_daemon KILL
    assert_exit_of "$teller" 1
    assert_contains "$(cat "$TEST_DIR/told")" 'the daemon has ended meanwhile'
}

# What looks right may be refused by the daemon: the key is somebody else's.
test_told_why_not() {
    need_other_users
    daemon_prefix=(sh -c 'SYSTEMD_EXEC_PID=$$ exec "$@"' -)
    start_daemon 'key = 5678;'
    "${alice[@]}" perl -e 'shmget(6000, 27, 01000 | 0600) // die'
    configure 'key = 6000;'
    assert_exit 1 "${daemon_prefix[@]}" "$shmd" --config "$conf" --reload "$daemon"
    assert_contains "$output" 'shmd: reload refused: ' 'key 0x00001770'
    assert_eq "$(segment_field 5678 size)" 27
    ipcrm -M 6000
}

# SIGHUP ends what does not expect it.
test_told_is_only_an_shmd() {
    local other
    configure 'key = 5678;'
    sleep 60 &
    other=$!
    assert_exit 2 "$shmd" --config "$conf" --reload "$other"
    assert_contains "$output" "process $other is no shmd"
    kill -KILL "$other"
    wait "$other" 2>/dev/null || true
    assert_exit 2 "$shmd" --config "$conf" --reload "$other"
    assert_contains "$output" "process $other is no shmd"
    assert_eq "$(grep -c RELOADING "$notify")" 0
}

test_told_by_another_user() {
    need_other_users
    chmod 0755 "$TEST_DIR/bin/shmd"
    start_daemon 'key = 5678;'
    chmod 0644 "$conf"
    assert_exit 77 "${alice[@]}" "$shmd" --config "$conf" --reload "$daemon"
    assert_contains "$output" "process $daemon cannot be told to reload: Operation not permitted"
}

test_poll_interval() {
    start_daemon 'poll_interval_ms = 60000;'
    acknowledge
    sleep 0.5
    assert_eq "$(segment_read | head -c 1)" '*' 'first byte, before anybody looks'
    reload 'poll_interval_ms = 1;'
    wait_log 'acknowledged record 1 '
    assert_works
}

test_size() {
    local id
    start_daemon
    assert_works
    id=$(segment_id)
    reload 'size = 60;'
    [[ $(segment_id) != "$id" ]] || fail 'the segment was not replaced'
    assert_eq "$(segment_field 5678 size)" 60
    assert_eq "$(segment_read)" "$letters${letters}abcdefg."
    assert_eq "$(count_segments)" 1
    assert_works
    assert_eq "$(acknowledged_records | tail -n 1 | sed 's/^[^1]*$/more/')" more 'record numbers go on'
}

# P3: what was acknowledged just before its segment was replaced is logged.
test_acknowledgement_just_before_the_replacement() {
    start_daemon 'poll_interval_ms = 60000;'
    acknowledge
    reload 'size = 60;'
    wait_log 'acknowledged record 1 '
}

test_key() {
    start_daemon
    reload 'key = 4711;'
    assert_eq "$(segment_id 5678)" '' 'segment under the old key'
    assert_eq "$(segment_read 4711)" "$letters."
    assert_eq "$(count_segments)" 1
    assert_eq "$(cd "$RUNTIME_DIRECTORY" && echo key-*)" "$(cd "$RUNTIME_DIRECTORY" && echo key-00001267.*)"
    acknowledge 4711
    wait_log 'acknowledged record'
    assert_eq "$(count_log 'epoch [0-9a-f]{32} begins')" 1 'epochs'
    stop_daemon
    assert_eq "$(count_segments)" 0
    assert_eq "$(ls -A "$RUNTIME_DIRECTORY")" ''
}

# What another daemon or program then does with the old key is its own business.
test_old_key_is_free() {
    start_daemon
    reload 'key = 4711;'
    make_segment 5678 10
    stop_daemon
    assert_eq "$(segment_field 5678 size)" 10
}

test_mode() {
    local id
    start_daemon
    id=$(segment_id)
    reload 'mode = "0600";'
    assert_eq "$(segment_field 5678 perms)" 600
    reload 'mode = "0644";'
    assert_eq "$(segment_field 5678 perms)" 644
    reload 'mode = "0666";'
    assert_eq "$(segment_field 5678 perms)" 666
    assert_eq "$(segment_id)" "$id" 'segment'
    assert_works
}

test_owner() {
    need_other_users
    start_daemon
    reload 'owner = "1000"; group = "1001";'
    assert_eq "$(segment_field 5678 uid) $(segment_field 5678 gid)" '1000 1001'
    reload 'key = 5678;'
    assert_eq "$(segment_field 5678 uid) $(segment_field 5678 gid)" '0 0'
    assert_works
}

test_keep() {
    start_daemon
    reload 'keep = true;'
    stop_daemon
    assert_eq "$(segment_read)" "$letters."
}

test_log_level() {
    local lines
    start_daemon
    wait_log '^shmd: started: '
    reload 'log = { level = "err"; };'
    lines=$(wc -l <"$log")
    reload 'log = { level = "err"; }; poll_interval_ms = 5;'
    assert_eq "$(wc -l <"$log")" "$lines" 'lines at level err'
    reload 'log = { level = "debug"; };'
    wait_until "((\$(wc -l <'$log') > $lines))"
}

test_log_queue() {
    start_daemon
    reload 'log = { queue = 2; };'
    assert_works
    reload 'log = { queue = 4096; };'
    assert_works
}

# Refused as a whole: with the reason, and without what was right in the same file.
test_refused() {
    local id
    start_daemon
    id=$(segment_id)
    reload 'size = 100;' 'mode = "0600";' 'nonsense = 1;'
    assert_refused "$conf:3: " 'nonsense'
    reload 'key = "5678";'
    assert_refused "$conf:1: " 'key'
    reload 'source = { type = "nothing"; };'
    assert_refused "$conf:1: " 'type'
    rm "$conf"
    reload_daemon
    assert_refused "$conf: " 'No such file'
    mkfifo "$conf"
    reload_daemon
    assert_refused "$conf: " 'regular file'
    rm "$conf"
    reload $'\xef\xbb\xbfkey = 4711;'
    assert_refused "$conf:1: " 'byte order mark'
    reload 'poll_interval_ms = 20;'
    assert_works
    assert_eq "$(segment_field 5678 perms) $(segment_field 5678 size)" '666 27'
}

# An editor, or a full disk, has left nothing of it: that is no wish to let everybody in.
test_refused_if_emptied() {
    local text reloads=0
    start_daemon 'mode = "0600";'
    for text in '' $'\n\n' '# mode = "0600";'; do
        printf '%s' "$text" >"$conf"
        reload_daemon
        reloads=$((reloads + 1))
        wait_until "((\$(count_log 'reload refused: $conf: has no setting') == $reloads))"
        assert_exit 78 "$shmd" --config "$conf" --reload "$daemon"
        assert_contains "$output" "$conf: has no setting"
    done
    assert_eq "$(segment_field 5678 perms)" 600
}

# A key that somebody else's segment holds: the old one goes on.
test_refused_for_a_foreign_segment() {
    local id
    need_other_users
    make_segment 4711 10 0600 "${alice[@]}"
    start_daemon
    id=$(segment_id)
    reload 'key = 4711;'
    assert_refused '1000' 'ipcrm'
    assert_eq "$(segment_field 4711 size) $(segment_field 4711 nattch)" '10 0' 'the foreign segment'
    assert_eq "$(cd "$RUNTIME_DIRECTORY" && echo key-*)" "$(cd "$RUNTIME_DIRECTORY" && echo key-0000162e.*)"
}

# A key that another running shmd holds.
test_refused_for_another_daemon() {
    local first id
    start_daemon 'key = 4711;'
    first=$daemon
    conf=$TEST_DIR/second.conf
    start_daemon
    id=$(segment_id)
    reload 'key = 4711;'
    wait_log 'reload refused: another shmd \(pid [0-9]+\) serves'
    assert_works
    assert_eq "$(segment_id)" "$id"
    assert_eq "$(segment_read 4711)" "$letters."
    stop_daemon
    assert_eq "$(segment_read 4711)" "$letters."
    daemon=$first
}

# Many at once: none is lost, and the last configuration holds.
test_burst() {
    local i
    start_daemon
    for i in {1..50}; do
        configure "size = $((27 + i));"
        kill -HUP "$daemon"
    done
    wait_until '[[ $(segment_field 5678 size) == 77 ]]'
    assert_eq "$(count_segments)" 1
    assert_works
}

run_tests "$@"
