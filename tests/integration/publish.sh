#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Records that publishers push: with shm-client, and with programs on the library. Whoever is killed
# in between, each record is published once, and those of one publisher in their order.
set -euo pipefail
. "$(dirname "$0")/../peer.sh"

# publish ARGUMENT…: at the socket of this case's daemon
publish() {
    timeout "$PATIENCE_S" "$shm_client" publish --socket "$RUNTIME_DIRECTORY/shmd.sock" "$@"
}

# read_all N: as many records, each on a line
read_all() {
    timeout "$PATIENCE_S" "$shm_client" follow --socket "$RUNTIME_DIRECTORY/shmd.sock" --from oldest -n "$1" "${@:2}"
}

read_newest() {
    timeout "$PATIENCE_S" "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock"
}

# --- shm-client publish ---

test_lines_become_records_ring() {
    start_daemon "$ring" "$push"
    seq 20000 >"$TEST_DIR/in"
    read_all 20000 >"$TEST_DIR/out" &
    publish <"$TEST_DIR/in"
    wait $!
    cmp "$TEST_DIR/in" "$TEST_DIR/out"
    wait_log 'publishes from its record 1$'
    wait_log 'left, 20000 records published, 0 rejected$'
}

# --- what nobody reads ---

# assert_lost WHY: an entry says that records 1 to 5 are gone, and why; the numbers go on
assert_lost() {
    wait_log "5 records of 1 to 5 were let go, and nobody had acknowledged them: $1\$"
    seq 1 | publish
    assert_eq "$(read_all 1)" 1
    wait_log 'acknowledged record 6 '
    stop_daemon KILL
    start_daemon_again
    stop_daemon
    assert_eq "$(count_log 'were let go')" 1 'entries'
}

test_a_ring_that_is_gone() {
    start_daemon "$ring" "$push"
    seq 5 | publish
    stop_daemon KILL
    ipcrm --shmem-key "$key"
    start_daemon_again
    assert_lost 'their segment was removed while no daemon ran'
    assert_eq "$(count_log 'epoch [0-9a-f]{32} begins')" 1 'epochs'
}

test_a_ring_that_is_damaged() {
    start_daemon "$ring" "$push"
    seq 5 | publish
    stop_daemon KILL
    segment_write "$key" 128 XXXXXXXX
    start_daemon_again
    assert_lost 'what stood in the segment was damaged'
}

# Nobody goes on with a ring whose state is gone: its numbers are of another epoch.
test_a_ring_without_its_state() {
    start_daemon "$ring" "$push"
    seq 5 | publish
    stop_daemon KILL
    rm "$RUNTIME_DIRECTORY"/key-*.state
    start_daemon_again
    wait_log 'begins: no state of an earlier daemon; records 1 to 5 of the ring that it left are given up$'
    stop_daemon KILL
    segment_write "$key" 128 XXXXXXXX
    rm "$RUNTIME_DIRECTORY"/key-*.state
    start_daemon_again
    seq 1 | publish
    assert_eq "$(read_all 1)" 1
    wait_log 'acknowledged record 1 '
    assert_eq "$(count_log 'given up')" 1 'entries'
}

# What those who are there have acknowledged meanwhile is not lost.
test_a_ring_that_is_gone_with_some_acknowledged() {
    start_daemon "$ring" "$push"
    seq 5 | publish
    assert_eq "$(read_all 2 | tail -n 1)" 2
    wait_log '\) left$' # its page is gone with it: nobody keeps it here
    stop_daemon KILL
    ipcrm --shmem-key "$key"
    start_daemon_again
    wait_log '3 records of 3 to 5 were let go'
}

# The state file is removed while the daemon runs, at the worst moment: when it is about to leave.
test_a_state_file_that_is_removed() {
    start_daemon "$ring" "$push"
    seq 5 | publish
    rm "$RUNTIME_DIRECTORY"/key-*.state
    stop_daemon USR1
    wait_log 'key-0000162e\.[^ ]*state was removed by somebody else; made anew$'
    start_daemon_again
    assert_eq "$(read_all 5)" "$(seq 5)"
}

# The kernel removes a segment to which nobody is attached.
test_a_ring_that_the_kernel_removes() {
    local setting=/proc/sys/kernel/shm_rmid_forced
    # Of this case's namespace.
    { echo 1 >"$setting"; } 2>/dev/null || skip "cannot write $setting"
    start_daemon "$ring" "$push"
    wait_log 'kernel.shm_rmid_forced is 1: .* sysctl kernel.shm_rmid_forced=0$'
    seq 5 | publish
    stop_daemon KILL
    assert_eq "$(count_segments)" 0
    start_daemon_again
    wait_log '5 records of 1 to 5 were let go, .*: their segment was removed while no daemon ran$'
    echo 0 >"$setting"
    stop_daemon USR1
    start_daemon_again
    assert_eq "$(count_log 'shm_rmid_forced is 1')" 2 'warnings'
}

test_lines_become_records_plain() {
    start_daemon "$plain" "$push"
    seq 300 >"$TEST_DIR/in"
    read_all 300 >"$TEST_DIR/out" &
    publish "$TEST_DIR/in"
    wait $!
    cmp "$TEST_DIR/in" "$TEST_DIR/out"
}

# A record may be empty, and the last line needs no newline.
test_a_last_line_without_a_newline() {
    start_daemon "$ring" "$push"
    printf 'one\n\nthree' | publish
    assert_eq "$(read_all 3)" $'one\n\nthree'
}

test_framing_length() {
    start_daemon "$ring" "$push"
    printf '\3\0\0\0a\nb\0\0\0\0\1\0\0\0c' | publish --framing length
    assert_eq "$(read_all 3 --output hex)" $'610a62\n\n63'
    printf '\11\0\0\0a' >"$TEST_DIR/cut"
    assert_exit 1 publish --framing length "$TEST_DIR/cut"
    assert_contains "$output" 'the input ends in the middle of record 1'
    assert_exit 2 publish --framing word
    assert_contains "$output" "--framing cannot be 'word': give it line, length or whole"
}

test_framing_whole() {
    start_daemon "$ring" "$push"
    printf 'a\nb\n' | publish --framing whole
    assert_eq "$(read_all 1 --output hex)" 610a620a
}

# What is whole is handed in at once: nobody waits for the producer to say more.
test_a_producer_that_trickles() {
    start_daemon "$ring" "$push"
    mkfifo "$TEST_DIR/fifo"
    publish "$TEST_DIR/fifo" &
    exec 5>"$TEST_DIR/fifo"
    for byte in f i r s t '\n' s; do
        printf '%b' "$byte" >&5
    done
    assert_eq "$(read_all 1)" first
    exec 5>&-
    wait $!
    assert_eq "$(read_all 1)" s
}

# Bad input gets an error that says which record; what came before is published.
test_what_cannot_be_published() {
    start_daemon "$ring" "$push"
    printf 'good\n%020000d\nlate\n' 0 >"$TEST_DIR/in"
    assert_exit 1 publish "$TEST_DIR/in"
    assert_contains "$output" 'record 2 is longer than the 16304 bytes that the segment can hold'
    assert_exit 2 publish one two
    assert_exit 1 publish "$TEST_DIR/nowhere"
    assert_contains "$output" "cannot open $TEST_DIR/nowhere"
    assert_eq "$(read_all 1)" good
    stop_daemon
    start_daemon "$plain" "$push"
    for record in '' '*star' '0123456789012345678901234567'; do
        printf '%s\n' "$record" >"$TEST_DIR/in"
        assert_exit 1 publish "$TEST_DIR/in"
        assert_contains "$output" 'record 1 '
    done
}

test_nobody_to_publish_to() {
    start_daemon "$ring"
    assert_exit 1 publish
    assert_contains "$output" 'set source.type to "push"'
    wait_log 'refused: the source is not push'
    stop_daemon
    assert_exit 3 publish
}

# "who may publish (default: root and the daemon's own user)"
test_who_may_publish() {
    need_other_users
    chmod 0755 "$RUNTIME_DIRECTORY"
    start_daemon "$ring" "$push"
    assert_exit 1 "${alice[@]}" "$shm_client" publish --socket "$RUNTIME_DIRECTORY/shmd.sock"
    assert_contains "$output" 'allow.publish'
    wait_log 'refused: this user may not publish'
    configure "$ring" "$push" 'allow = { publish = "1000"; };'
    reload_daemon
    "${alice[@]}" "$shm_client" publish --socket "$RUNTIME_DIRECTORY/shmd.sock" <<<mine
    assert_eq "$(read_all 1)" mine
    assert_exit 1 "${bob[@]}" "$shm_client" publish --socket "$RUNTIME_DIRECTORY/shmd.sock"
}

# A line that never ends is not waited for to its end.
test_a_line_that_never_ends() {
    start_daemon "$ring" "$push"
    assert_exit 1 publish /dev/zero
    assert_contains "$output" 'record 1 is longer than the 16304 bytes'
}

# What was confirmed while nobody read is there for who comes: it is not passed over.
test_nobody_reads_yet() {
    start_daemon "$ring" "$push"
    seq 10 | publish
    assert_eq "$(read_all 10)" "$(seq 10)"
    seq 11 20 | publish
    "$shm_client" follow --from next --timeout 0 --socket "$RUNTIME_DIRECTORY/shmd.sock" || true
    wait_log '10 records of 11 to 20 were let go, and nobody had acknowledged them'
    seq 21 25 | publish
    stop_daemon
    wait_log '5 records of 21 to 25 were let go, and nobody had acknowledged them'
}

# let_go FIRST: who wants the next record comes and goes, and what was held from FIRST on is let go
let_go() {
    seq "$1" $(($1 + 9)) | publish
    "$shm_client" follow --from next --timeout 0 --socket "$RUNTIME_DIRECTORY/shmd.sock" || true
}

# An entry a second tells of them; and no death makes them go without a word, or told twice.
test_killed_before_it_is_told() {
    start_daemon "$ring" "$push"
    let_go 1
    let_go 11
    stop_daemon KILL
    start_daemon_again
    wait_log ' of [0-9]* to 20 were let go'
    stop_daemon
    assert_eq "$(grep -o '[0-9]* records of [0-9]* to [0-9]* were let go' "$log" |
        awk '{ sum += $1 } END { print sum }')" 20 'records'
}

# What publishers brought is told, whatever the source is by now.
test_a_stop_with_another_source() {
    start_daemon "$ring" "$push"
    seq 10 | publish
    configure "$ring"
    reload_daemon
    stop_daemon
    wait_log '10 records of 1 to 10 were let go, and nobody had acknowledged them'
}

# Whatever takes the place of a ring or of a record, what nobody owes is told.
test_a_reload_to_another_segment() {
    start_daemon "$ring" "$push"
    seq 10 | publish
    configure "$ring" 'when_full = "overwrite";' "$push"
    reload_daemon
    wait_log '10 records of 1 to 10 were let go, .*: another segment is configured now$'
    seq 11 12 | publish
    configure "$push"
    reload_daemon
    wait_log '2 records of 11 to 12 were let go, .*: another segment is configured now$'
    echo 13 | publish
    configure 'size = 100;' "$push"
    reload_daemon
    wait_log '1 record of 13 to 13 was let go, .*: another segment is configured now$'
}

# The segment is full, and the queue of a publisher, too, which is killed.
publisher_is_killed() {
    start_daemon "$ring" "$push"
    spawn_producer p1
    wait_until '(($(status_field records) > 0))'
    wait_until '(($(status_field records) == $(sleep 0.05 && status_field records)))'
    kill -KILL "$producer_pid"
    wait "$producer_pid" 2>/dev/null || true
}

# A publisher that has gone does not come back with what it has handed in.
test_a_stop_with_records_that_were_handed_in() {
    publisher_is_killed
    status_field records >"$TEST_DIR/published" # and the daemon has noticed
    stop_daemon
    wait_log "p1\\) closed: the daemon stops, $(cat "$TEST_DIR/published") records published, 0 rejected, [1-9][0-9]* given up$"
}

# Where the newest wins, no publisher waits for anybody: nor for nobody.
test_the_newest_wins() {
    local pid
    start_daemon "$ring" 'when_full = "overwrite";' "$push"
    seq 100000 | publish
    assert_eq "$(read_newest)" 100000
    "$shm_client" follow --socket "$RUNTIME_DIRECTORY/shmd.sock" >"$TEST_DIR/out" &
    pid=$!
    wait_log "pid $pid, .* subscribed"
    kill -STOP "$pid"
    seq 100001 200000 | publish
    kill -KILL "$pid"
    assert_eq "$(read_newest)" 200000
}

# A full segment holds the producer up; it says so, and can be left.
test_back_pressure() {
    start_daemon "$ring" "$push"
    seq 1 1000000 >"$TEST_DIR/in"
    assert_exit 4 publish --timeout 0.5 "$TEST_DIR/in"
    assert_contains "$output" 'records are confirmed, and no more within 0.5 s'
}

# --- several, and whoever is killed ---

test_several_publishers_and_subscribers() {
    local i
    start_daemon "$ring" "$push"
    for i in 1 2 3; do
        await_follower "s$i"
    done
    for i in 1 2 3 4; do
        spawn_producer "p$i" 5000
    done
    end_producers_after_all
    assert_delivered s1 s2 s3
}

# Those that were started end by themselves, and then the followers.
end_producers_after_all() {
    local producer
    for producer in "${producers[@]}"; do
        wait "${producer#*:}" || true
    done
    end_all
}

# Once all is confirmed, it is there for the followers to take.
end_all() {
    local follower records
    end_producers
    records=$(status_field records)
    for follower in "${followers[@]}"; do
        wait_until "((\$(acknowledged_by '${follower%:*}') == $records))"
    done
    end_followers
}

killed_under_publishers() {
    local i
    start_daemon "$1" "$push"
    await_follower one
    await_follower two
    spawn_producer p1 0 "$2"
    spawn_producer p2 0 "$2" 100
    for i in 1 2 3 4 5; do
        sleep "0.$((i * 37 % 30 + 10))"
        stop_daemon KILL
        sleep "0.$((i * 53 % 20))"
        start_daemon_again
    done
    wait_follower one
    end_all
    assert_delivered one two
}
test_killed_under_publishers_ring() {
    killed_under_publishers "$ring" 200
}
test_killed_under_publishers_plain() {
    killed_under_publishers "$plain size = 300;" 200
}

# What it has handed in is published, though it has died and the segment is full.
test_a_publisher_that_is_killed() {
    publisher_is_killed
    await_follower one
    wait_log 'calls itself p1\) left, [0-9]+ records? published, 0 rejected$'
    wait_until "((\$(acknowledged_by one) == \$(status_field records)))"
    assert_eq "$(sed -nE 's/.*p1\) left, ([0-9]+) records.*/\1/p' "$log")" "$(status_field records)"
    end_followers
}

# Another source by reload: what was handed in comes before what the next source yields.
test_another_source_by_reload() {
    start_daemon "$ring" "$push"
    await_follower one
    spawn_producer p1
    wait_follower one
    configure "$ring"
    reload_daemon
    wait "$producer_pid" || true
    grep -qE '^handed in .*ended by Operation not supported$' "$TEST_DIR/p1.said" ||
        fail "$(tail -n 1 "$TEST_DIR/p1.said")"
    wait_follower one
    end_followers
    assert_eq "$(said one | sed -n 's/^from p1: up to //p')" "$(confirmed p1)"
    wait_log 'closed: another source has come'
}

# A segment of another size: publishers go on with what fits now.
test_another_size_by_reload() {
    local size
    start_daemon "$ring" "$push"
    await_follower one
    spawn_producer p1
    for size in 131072 32768 65536; do
        wait_follower one
        configure "$ring size = $size;" "$push"
        reload_daemon
    done 2>/dev/null
    wait_follower one
    end_all
    assert_delivered one
}

# What was handed in for a larger segment, and does not fit into the next one, is rejected; whoever
# waits for it learns so.
test_a_smaller_segment_after_a_stop() {
    local status=0 pid
    start_daemon 'layout = "ring"; size = 1048576;' "$push"
    awk 'BEGIN { for (i = 0; i < 100; i++) printf "%020000d\n", i }' >"$TEST_DIR/in"
    "$shm_client" publish --socket "$RUNTIME_DIRECTORY/shmd.sock" "$TEST_DIR/in" 2>"$TEST_DIR/said" &
    pid=$!
    # The segment is full, and so is the queue.
    wait_until '(($(status_field records) >= 40))'
    wait_asleep "$pid"
    stop_daemon
    start_daemon 'layout = "ring"; size = 4096;' "$push"
    wait_log 'record of 20000 bytes rejected: it does not fit any more'
    wait "$pid" || status=$?
    assert_eq "$status" 1
    grep -q 'longer than' "$TEST_DIR/said" || fail "$(cat "$TEST_DIR/said")"
}

# One is enough to say so.
test_one_is_rejected() {
    local status=0 pid
    start_daemon 'size = 100;' "$push"
    printf '%s\n%050d\n' first 0 >"$TEST_DIR/in"
    "$shm_client" publish --socket "$RUNTIME_DIRECTORY/shmd.sock" "$TEST_DIR/in" 2>"$TEST_DIR/said" &
    pid=$!
    wait_until '(($(status_field records) == 1))'
    wait_asleep "$pid"
    configure 'size = 27;' "$push"
    reload_daemon
    wait "$pid" || status=$?
    assert_eq "$status" 1
    assert_contains "$(<"$TEST_DIR/said")" '1 of 2 records were rejected'
}

# Patience is for the daemon, not for the input.
test_patience() {
    local status=0
    start_daemon "$ring" "$push"
    mkfifo "$TEST_DIR/fifo"
    publish --timeout 2 "$TEST_DIR/fifo" &
    exec 5>"$TEST_DIR/fifo"
    sleep 2.2
    echo late >&5
    assert_eq "$(read_all 1)" late
    stop_daemon
    echo lost >&5
    wait $! || status=$?
    assert_eq "$status" 4
    exec 5>&-
}

test_status_names_publishers() {
    start_daemon "$ring" "$push"
    spawn_producer p1 10 20
    wait_until '(($(session_field p1 published) == 10)) || [[ -z $(session_field p1 published) ]]'
    end_producers
    await_follower one
    wait_until '(($(acknowledged_by one) == 10))'
    end_followers
    assert_delivered one
    assert_eq "$(status_field rejected)" 0
}

run_tests "$@"
