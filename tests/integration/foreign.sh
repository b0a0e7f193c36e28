#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Other users: a key that somebody else has taken is never touched, and the message says all that an
# administrator needs. A segment may be given to another user, and a daemon may be one.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

# assert_refused KEY-HOLDER-MODE COMMAND-PREFIX…: a segment of alice's is in the way of a daemon that
# runs with the prefix; it ends with 69 and says whose the segment is, and the segment stays as it is.
assert_refused() {
    local mode=$1 before id
    shift
    make_segment 5678 99 "$mode" "${alice[@]}"
    id=$(segment_id)
    "${alice[@]}" perl -e 'shmwrite($ARGV[0], "keep me", 0, 7) or die "shmwrite: $!\n"' "$id"
    before=$(cat /proc/sysvipc/shm)
    configure
    chmod 0777 "$RUNTIME_DIRECTORY"

    assert_exit 69 "$@" timeout "$PATIENCE_S" "$shmd" --config "$conf"
    assert_contains "$output" "1000" "$(segment_field 5678 cpid)" 99 'ipcrm' "$id"
    [[ $output =~ (nattch|attached) ]] || fail "no number of attached clients in «$output»"
    assert_eq "$(cat /proc/sysvipc/shm)" "$before" 'the table of segments'
    assert_eq "$(segment_read)" "keep me$(printf '.%.0s' {1..92})"
    assert_eq "$(ls -A "$RUNTIME_DIRECTORY")" '' 'files left behind'
}

# A squatter's segment that anybody may write: root would be let in, and must not go.
test_segment_of_another_user() {
    need_other_users
    assert_refused 0666
}

# One that nobody else may even read: root sees it all the same.
test_private_segment_of_another_user() {
    need_other_users
    assert_refused 0600
}

# A daemon that is not root: IPC_STAT is denied, and the message still has all of it.
test_private_segment_seen_by_another_daemon() {
    need_other_users
    assert_refused 0600 "${bob[@]}"
}

test_segment_of_another_user_seen_by_another_daemon() {
    need_other_users
    assert_refused 0666 "${bob[@]}"
}

# Root's own segment, from the point of view of a daemon that is not root.
test_segment_of_root_seen_by_another_daemon() {
    need_other_users
    make_segment 5678 27 0600
    configure
    chmod 0777 "$RUNTIME_DIRECTORY"
    assert_exit 69 "${bob[@]}" timeout "$PATIENCE_S" "$shmd" --config "$conf"
    assert_contains "$output" 'ipcrm'
    assert_eq "$(count_segments)" 1
}

# An original server of our own user has made the segment already: ours and valid, so adopted.
test_segment_of_the_original_server_is_adopted() {
    local id
    make_segment 5678 27 0666
    id=$(segment_id)
    start_daemon
    assert_eq "$(segment_id)" "$id"
    assert_eq "$(segment_read)" "$letters."
    wait_log 'adopted'
}

# A daemon that is not root does the whole job.
test_daemon_of_another_user() {
    local id
    need_other_users
    chmod 0777 "$RUNTIME_DIRECTORY"
    daemon_prefix=("${alice[@]}")
    start_daemon
    assert_eq "$(segment_field 5678 uid)" 1000
    id=$(segment_id)
    acknowledge
    wait_log 'acknowledged record 1 '
    stop_daemon KILL
    start_daemon_again
    assert_eq "$(segment_id)" "$id"
    stop_daemon
    assert_eq "$(count_segments)" 0
}

# owner, group and mode are given to the segment; the daemon keeps its rights as the creator.
test_segment_given_to_another_user() {
    local id
    need_other_users
    start_daemon 'owner = "1000"; group = "1001"; mode = "0640";'
    assert_eq "$(segment_field 5678 uid)" 1000
    assert_eq "$(segment_field 5678 gid)" 1001
    assert_eq "$(segment_field 5678 perms)" 640
    assert_eq "$(segment_field 5678 cuid)" 0
    id=$(segment_id)

    # Its owner can acknowledge, its group can read, others cannot.
    "${alice[@]}" perl -e 'shmwrite($ARGV[0], "*", 0, 1) or die "shmwrite: $!\n"' "$id"
    wait_log 'acknowledged record 1 '
    "${bob[@]}" perl -e 'shmread($ARGV[0], $_, 0, 26) or die "shmread: $!\n"' "$id"
    assert_exit 13 "${bob[@]}" perl -e 'shmwrite($ARGV[0], "*", 0, 1) or exit $!' "$id"
    assert_exit 13 setpriv --reuid=1002 --regid=1002 --clear-groups \
        perl -e 'shmread($ARGV[0], $_, 0, 26) or exit $!' "$id"

    # Ours still, whoever owns it now.
    stop_daemon KILL
    start_daemon_again
    assert_eq "$(segment_id)" "$id"
    stop_daemon
    assert_eq "$(count_segments)" 0
}

# A name as well as a number.
test_owner_by_name() {
    need_other_users
    start_daemon 'owner = "daemon"; group = "daemon";'
    assert_eq "$(segment_field 5678 uid)" "$(id -u daemon)"
    assert_eq "$(segment_field 5678 gid)" "$(id -g daemon)"
}

# Only root can give a segment away: no permission, the cause by name, nothing left behind.
test_giving_away_without_the_right_to() {
    need_other_users
    chmod 0777 "$RUNTIME_DIRECTORY"
    configure 'owner = "1001"; lock_memory = true;'
    assert_exit 77 "${alice[@]}" prlimit --memlock=0 timeout "$PATIENCE_S" "$shmd" --config "$conf"
    assert_contains "$output" 'permi'
    assert_eq "$(count_segments)" 0
}

# A running daemon whose segment was removed and whose key was then taken by another: hands off. Who
# has a session goes on with what it has, and so does the key when it is free again.
test_key_taken_while_the_daemon_runs() {
    local id before
    need_other_users
    start_daemon
    "$shm_client" follow --socket "$RUNTIME_DIRECTORY/shmd.sock" >"$TEST_DIR/followed" &
    wait_log 'acknowledged record'
    kill -STOP "$daemon"
    ipcrm --shmem-id "$(segment_id)"
    make_segment 5678 27 0666 "${alice[@]}"
    id=$(segment_id)
    kill -CONT "$daemon"
    wait_log "held by another user.s segment $id: .*uid 1000.* ipcrm -m $id"
    before=$(count_log 'acknowledged record')
    wait_until "((\$(count_log 'acknowledged record') > $before))"
    assert_eq "$(segment_read)" "$(printf '.%.0s' {1..27})" "the other user's segment"
    assert_eq "$(segment_id)" "$id"
    ipcrm --shmem-id "$id"
    wait_log 'segment [0-9]+ \(key 0x0000162e, 27 bytes\) created$'
    before=$(count_log 'acknowledged record')
    wait_until "((\$(count_log 'acknowledged record') > $before))"
    assert_eq "$(count_log "held by another user.s segment")" 1 'entries'
    kill %?follow
}

# Two loops wait for the moment in which a reload leaves the key to nobody: the service goes on.
test_key_taken_by_a_reload() {
    local id squatters=() i
    need_other_users
    start_daemon
    for i in 1 2; do
        "${alice[@]}" perl -e 'for (;;) { $id = shmget(5678, 10, 01000 | 02000 | 0600);
            defined $id and print("$id\n"), close(STDOUT), sleep(1000) }' >>"$TEST_DIR/taken" &
        squatters+=($!)
    done
    for ((i = 1; i < 200; i++)); do
        configure "size = $((100 + i));"
        reload_daemon
        [[ ! -s $TEST_DIR/taken ]] || break
    done
    [[ -s $TEST_DIR/taken ]] || inconclusive 'nobody has got the key in between'
    kill "${squatters[@]}"
    if [[ -s $TEST_DIR/taken ]]; then
        id=$(cat "$TEST_DIR/taken")
        wait_log "reload refused: key 0x0000162e is held by another user.s segment $id: "
        ipcrm --shmem-id "$id"
    fi
    wait_until '[[ $(segment_field 5678 cuid 2>/dev/null || true) == "$(id -u)" ]]'
    reload_daemon
    wait_until '[[ $(segment_field 5678 size) == $((100 + i)) ]]'
}

# A start that cannot have its segment takes nothing away: the old one, under another key, goes on.
test_a_start_that_fails_takes_nothing_away() {
    local id
    need_other_users
    make_segment 4711 10 0600 "${alice[@]}"
    start_daemon
    id=$(segment_id)
    stop_daemon KILL
    configure 'key = 4711; size = 100;'
    assert_exit 69 timeout "$PATIENCE_S" "$shmd" --config "$conf"
    assert_eq "$(segment_id) $(segment_read)" "$id $letters."
    start_daemon
    assert_eq "$(segment_id)" "$id"
    acknowledge
    wait_log 'acknowledged record 1 '
    assert_eq "$(count_log 'epoch [0-9a-f]{32} begins')" 1 'epochs'
}

# Two daemons of one user that share nothing but the IPC namespace: the second one says who has the
# key. Nothing stays of the lock.
test_another_daemon_elsewhere() {
    local first
    start_daemon
    mkdir "$TEST_DIR/elsewhere"
    assert_exit 69 env RUNTIME_DIRECTORY="$TEST_DIR/elsewhere" timeout "$PATIENCE_S" "$shmd" --config "$conf"
    assert_contains "$output" "another shmd (pid $daemon) serves key 0x0000162e: stop it, or choose another key"
    assert_eq "$(ls -A "$TEST_DIR/elsewhere")" '' 'left behind'
    # Whoever removes all semaphores changes that for a moment only.
    ipcrm --all=sem
    wait_until '(($(wc -l </proc/sysvipc/sem) == 2))'
    assert_exit 69 env RUNTIME_DIRECTORY="$TEST_DIR/elsewhere" timeout "$PATIENCE_S" "$shmd" --config "$conf"
    first=$daemon
    printf 'key = 4711;\n' >"$TEST_DIR/other.conf"
    RUNTIME_DIRECTORY=$TEST_DIR/elsewhere NOTIFY_SOCKET='' "$shmd" --config "$TEST_DIR/other.conf" 2>>"$log" &
    daemon=$!
    wait_log 'started: key 0x00001267'
    printf 'key = 5678;\n' >"$TEST_DIR/other.conf"
    kill -HUP "$daemon"
    wait_log "reload refused: another shmd \\(pid $first\\) serves key 0x0000162e"
    stop_daemon
    daemon=$first
    acknowledge
    wait_log 'acknowledged record 1 '
    stop_daemon KILL
    start_daemon_again
    stop_daemon
    assert_eq "$(wc -l </proc/sysvipc/sem)" 1 'lines of the table of semaphores'
}

# Nobody else can keep a daemon from serving with a semaphore of his: it says that it has no lock.
test_a_semaphore_of_another_user() {
    need_other_users
    "${alice[@]}" perl -e '$id = semget(5678 ^ 0x73686d64, 1, 01000 | 0666) // die; semop($id, pack("s!3", 0, 1, 0)) or die'
    start_daemon
    wait_log 'no semaphore with key 0x73687b4a: another user has one'
    stop_daemon
    assert_eq "$(wc -l </proc/sysvipc/sem)" 2 'lines of the table of semaphores'
}

# A record of the default mode is read and acknowledged by any user.
test_any_user_acknowledges() {
    local i
    need_other_users
    start_daemon
    for i in 1 2 3; do
        "${alice[@]}" perl -e 'shmwrite(shmget(5678, 27, 0666) // die("shmget: $!\n"), "*", 0, 1)
            or die "shmwrite: $!\n"'
        wait_log "acknowledged record $i "
    done
}

run_tests "$@"
