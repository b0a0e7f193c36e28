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

# A running daemon whose segment was removed and whose key was then taken by another: hands off.
test_key_taken_while_the_daemon_runs() {
    local status=0
    need_other_users
    start_daemon
    kill -STOP "$daemon"
    ipcrm --shmem-id "$(segment_id)"
    make_segment 5678 27 0666 "${alice[@]}"
    kill -CONT "$daemon"
    wait_until '! daemon_runs'
    wait "$daemon" || status=$?
    daemon=''
    assert_eq "$status" 69 'exit status'
    assert_contains "$(cat "$log")" '1000' 'ipcrm'
    assert_eq "$(segment_read)" "$(printf '.%.0s' {1..27})" "the other user's segment"
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
