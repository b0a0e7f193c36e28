#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Hostile subscribers: what they write into their page and do to what they were given, and who they
# are when the kernel has given their process id to somebody else.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

in_a_session() {
    need_other_users
    start_daemon "$1"
    start_carol
    beside_carol "${@:2}"
    end_carol
}

# Each lie ends a session, and is logged with the name of the one who lied; nothing that was claimed
# and never published is accounted for.
test_nonsense() {
    in_a_session "$ring" as_both attacker nonsense=2000
    wait_log 'session [0-9]+ \(uid 1000, .*\) ended: it acknowledged backwards'
    wait_log 'session [0-9]+ \(uid 1001, .*\) ended: it acknowledged backwards'
    assert_none_beyond
}

# Where each record waits for everybody, she is held up by all who come and go; by liars no more than
# by honest users.
test_nonsense_about_a_plain_segment() {
    local neighbours=(as_both attacker visit=1000)
    in_a_session "$plain" as_both attacker nonsense=1000
    assert_none_beyond
}

# No entry covers a record that there never was.
assert_none_beyond() {
    local newest
    newest=$(sed -nE 's/.*stopped: ([0-9]+) records.*/\1/p' "$log")
    assert_eq "$(acknowledged_records_of_all | awk -v newest="$newest" '$2 > newest')" ''
}

acknowledged_records_of_all() {
    sed -nE -e 's/.* acknowledged record ([0-9]+) .*/\1 \1/p' \
        -e 's/.* acknowledged records ([0-9]+)-([0-9]+) .*/\1 \2/p' "$log"
}

# The bell rings without end, and the flags flicker. Nobody waits for the one who rings: where all
# do, she would be as slow as it is, and it is a process that others take the processor from.
test_bell() {
    in_a_session "$ring"'when_full = "overwrite";' attacker bell=1000000
}

# It is in the midst of reading its bell for as long as it likes: the daemon rings it, and ends its
# session meanwhile.
test_bell_that_is_held() {
    need_other_users
    start_daemon "$plain"
    assert_eq "$(attacker hold-bell=20)" 'hold-bell: rung 20 times, hung up, held'
    stop_daemon
}

# Its memory is gone, and it owes for ever: its lease ends it, and costs the others no more.
test_vanished_page() {
    local evicted
    need_other_users
    start_daemon "$ring" "$short_lease"
    start_carol
    attacker vanish=3 >"$TEST_DIR/vanish"
    assert_eq "$(sort -u "$TEST_DIR/vanish")" \
        'vanish: truncate EPERM, discard done, protect done'
    wait_until "((\$(count_log 'session [0-9]+ \(uid 1000, .*\) evicted') >= 3))"
    evicted=$(count_log 'session [0-9]+ \(uid 1000, .*\) evicted')
    assert_eq "$evicted" 3 'evictions'
    end_carol
}

# It acknowledges nothing, and comes again each time that its lease has ended it: that holds the
# others up once, for a lease and a bit, and not for ever.
test_coming_again_after_each_eviction() {
    need_other_users
    start_daemon "$plain" "$short_lease"
    start_carol
    attacker sloth=8
    beside_carol attacker sloth=1000
    end_carol
}

# --- process ids ---

need_free_choice_of_pids() {
    need_other_users
    unshare --pid --fork true 2>/dev/null || skip 'needs root: chooses process ids'
}

# assert_attributed PID UID RECORDS
assert_attributed() {
    assert_eq "$(grep -cE "^shmd: [^ ]+ \(uid $2, pid $1\) acknowledged record" "$log")" "$3" \
        "entries of uid $2, pid $1"
}

# Alice has subscribed and died, and a child of hers goes on; bob's process has her process id now.
# What the child acknowledges is hers, what bob's process does is his.
test_process_id_used_again() {
    local pid
    need_free_choice_of_pids
    start_daemon "$ring"
    install_attacker
    attacker bequeath=1 acknowledge=1500 >"$TEST_DIR/alice.out" &
    wait_said alice 'of pid'
    pid=$(sed -nE 's/.* of pid ([0-9]+)$/\1/p' "$TEST_DIR/alice.out")
    wait_until "[[ ! -e /proc/$pid ]]"
    "$TEST_DIR/bin/attacker" "$RUNTIME_DIRECTORY/shmd.sock" as-pid="$pid" as-user=1001 \
        acknowledge=0 >"$TEST_DIR/bob.out" &
    wait_said bob "of pid $pid"
    wait_until "((\$(count_log 'acknowledged record') >= 2))"
    assert_attributed "$pid" 1000 1
    assert_attributed "$pid" 1001 1
    stop_daemon
}

# The same while the daemon sleeps: she connects, says what she wants, and dies; before the daemon
# looks, the process id is bob's.
test_process_id_used_again_before_the_daemon_looks() {
    local pid
    need_free_choice_of_pids
    start_daemon "$ring"
    install_program peer
    install_attacker
    kill -STOP "$daemon"
    # shellcheck disable=SC2016
    pid=$("${alice[@]}" sh -c 'echo $$; exec "$0" "$1" send=hello' "$TEST_DIR/bin/peer" \
        "$RUNTIME_DIRECTORY/shmd.sock")
    "$TEST_DIR/bin/attacker" "$RUNTIME_DIRECTORY/shmd.sock" as-pid="$pid" as-user=1001 \
        acknowledge=0 >"$TEST_DIR/bob.out" &
    wait_until '[[ $(cat "/proc/$pid/comm") == attacker ]]'
    kill -CONT "$daemon"
    wait_log "session [0-9]+ \(uid 1000, pid $pid, calls itself peer\) "
    wait_log "session [0-9]+ \(uid 1001, pid $pid, calls itself attacker\) "
    assert_eq "$(count_log "\(uid 1001, pid $pid.*calls itself peer")" 0
}

run_tests "$@"
