#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The segment and its key under attack by other users.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# make_lookalike BYTES-FILE: alice's segment under the daemon's key, with the content of that file
make_lookalike() {
    "${alice[@]}" perl -e '
        local $/; open F, "<", $ARGV[0] or die; my $bytes = <F>;
        my $id = shmget(5678, length $bytes, 01000 | 02000 | 0666) // die "shmget: $!\n";
        shmwrite($id, $bytes, 0, length $bytes) or die "shmwrite: $!\n"' "$1"
}

# segment_copy FILE
segment_copy() {
    perl -e 'my ($id, $size) = @ARGV; shmread($id, $bytes, 0, $size) or die "shmread: $!\n";
             print $bytes' "$(segment_id)" "$(segment_field 5678 size)" >"$1"
}

# A squatter has the key before the daemon starts. Its segment is what the daemon's own would be, to
# the byte; the daemon says whose it is, and ends, and does not touch it.
squatted_with_a_copy() {
    local before
    need_other_users
    start_daemon "$@"
    segment_copy "$TEST_DIR/copy"
    stop_daemon
    chmod 0644 "$TEST_DIR/copy"
    make_lookalike "$TEST_DIR/copy"
    before=$(cat /proc/sysvipc/shm)
    assert_exit 69 timeout "$PATIENCE_S" "$shmd" --config "$conf"
    assert_contains "$output" 'uid 1000' "pid $(segment_field 5678 cpid)" "ipcrm -m $(segment_id)"
    assert_eq "$(cat /proc/sysvipc/shm)" "$before" 'the table of segments'
    segment_copy "$TEST_DIR/after"
    cmp "$TEST_DIR/copy" "$TEST_DIR/after" || fail 'its bytes have changed'
    assert_eq "$(ls -A "$RUNTIME_DIRECTORY")" '' 'files left behind'
}

test_key_squatted_with_a_copy() {
    squatted_with_a_copy
}

test_key_squatted_with_a_copy_of_a_ring() {
    squatted_with_a_copy "$ring" 'mode = "0644";'
}

# Neither removing nor owning is for other users, whatever the mode lets them write.
test_what_only_the_owner_may() {
    local mode before
    need_other_users
    for mode in 0644 0666; do
        start_daemon "mode = \"$mode\";"
        before=$(awk '{ print $1, $2, $3, $4, $8, $9, $10, $11 }' /proc/sysvipc/shm)
        assert_eq "$(attacker usurp=1)" 'usurp: remove EPERM, own EPERM, lock EPERM, execute EACCES'
        assert_eq "$(awk '{ print $1, $2, $3, $4, $8, $9, $10, $11 }' /proc/sysvipc/shm)" "$before"
        stop_daemon
    done
}

# Somebody writes all over a segment that everybody may write, as fast as it goes: a subscriber gets
# each record all the same, once, in order and whole.
test_scribbling_beside_a_subscriber() {
    need_other_users
    start_daemon
    start_carol
    beside_carol attacker scribble=2000
    end_carol
    wait_log 'somebody wrote into segment'
}

# So do the programs that were there before it, once it is over; and it has filled no log.
test_scribbling_beside_anonymous_clients() {
    need_other_users
    start_daemon
    as_both attacker scribble=2000
    wait_until '[[ $(segment_read) == "$letters." ]]'
    assert_eq "$("${carol[@]}" "$shm_client" --anonymous --key 5678)" "$letters"
    (($(count_log 'somebody wrote into') <= 20)) || fail "$(count_log 'somebody wrote into') lines"
}

# One user has all the segments that there may be. A reload that needs another one is refused, with
# the cause; the daemon goes on; and when there is room again, the same reload is done.
test_all_segments_taken_while_it_runs() {
    local id
    need_other_users
    if ! echo 16 2>/dev/null >/proc/sys/kernel/shmmni; then
        skip 'kernel.shmmni cannot be set here'
    fi
    start_daemon "$ring"
    start_carol
    id=$(segment_id)
    "${alice[@]}" perl -e '1 while defined shmget(0, 4096, 01000 | 0600); print "$!\n"' \
        >"$TEST_DIR/taken"
    assert_contains "$(cat "$TEST_DIR/taken")" 'No space left'
    configure 'layout = "ring"; size = 131072;'
    reload_daemon
    wait_log SHMMNI
    assert_eq "$(segment_id)" "$id"
    wait_follower carol
    "${alice[@]}" ipcrm --all=shm 2>/dev/null || true
    assert_eq "$(segment_id)" "$id"
    # She comes again by herself, to the new segment.
    reload_daemon
    assert_eq "$(segment_field 5678 size)" 131072
    wait_follower carol
    end_followers
}

run_tests "$@"
