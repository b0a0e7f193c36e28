#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The daemon's socket under attack by other users: by what they send, by how much, and by how many
# come. The daemon loses no descriptor and no memory to it, and whoever is honest is served.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# under_attack COMMAND…: afterwards the daemon has as many descriptors as before
under_attack() {
    local descriptors
    need_other_users
    start_daemon "$ring" 'limits = { sessions = 60; sessions_per_user = 20; };'
    start_carol
    descriptors=$(count_descriptors)
    beside_carol "$@"
    wait_until "((\$(count_descriptors) == $descriptors))"
    end_carol
}

# Anything at all, of any length, with descriptors and without.
test_random_messages() {
    under_attack as_both attacker fuzz=30000
}

# As many descriptors as a message can carry: none of them is kept.
test_messages_full_of_descriptors() {
    under_attack attacker bomb=5000
}

# Whoever closes one of these descriptors, waits for ten minutes: that is not the daemon's loop.
test_descriptors_that_linger() {
    under_attack attacker linger=200
}

# Gone before they are welcomed, deaf, dumb, or silent.
test_half_open_connections() {
    under_attack as_both attacker half=10000
}

# The report is asked for without end, and not read.
test_flood_of_questions() {
    under_attack attacker ask=100000
}

# Descriptors that nobody takes out of the messages: the kernel counts them as the daemon's, and with
# too many of them nobody could be welcomed any more. There are never more than the sessions that a
# user may have.
test_welcomes_that_nobody_reads() {
    local unread
    under_attack deaf_attack
    unread=$(sed -nE 's/^deaf: .*, ([0-9]+) unread welcomes$/\1/p' "$TEST_DIR/deaf")
    ((unread > 0 && unread <= 20)) || fail "$unread unread welcomes"
}

deaf_attack() {
    attacker deaf=5000 >"$TEST_DIR/deaf"
}

# Who comes meanwhile is welcome, and root is told the status.
test_flood_of_connections() {
    under_attack come_and_go_in_a_flood
}

come_and_go_in_a_flood() {
    local pid end visits=0
    attacker flood=2000 >"$TEST_DIR/flood" &
    pid=$!
    wait_until '[[ -n $(attackers) ]]'
    end=$((SECONDS + 2))
    while ((SECONDS < end)); do
        assert_contains "$(as_carol peer next hello=visitor)" welcome
        assert_contains "$(peer status)" '"instance"'
        visits=$((visits + 1))
    done
    wait "$pid"
    diagnose "$visits visits of an honest user, all welcome, beside $(
        awk '{ sum += $2 } END { print sum }' "$TEST_DIR/flood") connections"
}

# Two users take all the connections that they can get, say nothing on them, and come again: that is
# less than there are, so a third one still gets in, at any time.
test_silent_crowds_of_two_users() {
    under_attack come_and_go_among_silent_crowds
    wait_crowded 1000
    wait_crowded 1001
}

# So it is with the limits that the daemon has by default.
test_silent_crowds_at_the_default_limits() {
    need_other_users
    start_daemon "$ring"
    start_carol
    beside_carol come_and_go_among_silent_crowds
    end_carol
}

# wait_crowded UID: there is no place left for it, but that of one of its own that has said nothing
wait_crowded() {
    wait_log "uid $1, .* (refused: too many sessions|ended: it said nothing)"
}

come_and_go_among_silent_crowds() {
    local crowds end answer visits=0
    as_both attacker mute=5000 &
    crowds=$!
    wait_crowded 1000
    end=$((SECONDS + 3))
    while ((SECONDS < end)); do
        answer=$(as_carol peer next hello=visitor)
        assert_contains "$answer" welcome
        visits=$((visits + 1))
    done
    diagnose "$visits visits of an honest user, all welcome"
    wait "$crowds"
}

# The attacker itself, not who has started it.
attackers() {
    local pid
    for pid in $(processes_with "$TEST_DIR/bin/attacker "); do
        grep -sqx attacker "/proc/$pid/comm" && echo "$pid"
    done || true
}

# A daemon that does not accept for a while finds its queue full of those who gave up: it works
# through them, and the honest one that stood behind them is served.
test_queue_of_the_dead() {
    local crowd visitor
    need_other_users
    start_daemon "$ring"
    start_carol
    kill -STOP "$daemon"
    attacker half=500 &
    crowd=$!
    # Until nobody has room in the queue any more.
    wait_until '[[ -n $(attackers) ]]'
    wait_asleep "$(attackers)"
    as_carol spawn_peer visitor next hello=visitor
    visitor=$peer_pid
    kill -CONT "$daemon"
    wait "$crowd" "$visitor"
    assert_contains "$(said visitor)" welcome
    end_carol
}

# What a client calls itself comes out as printable characters wherever it is shown: in the log, in
# the report, and in what shm-client makes of it for people and for programs.
test_names() {
    local i=0 name names=($'a\nb' $'\e]0;title\a' $'\xff\xfe\xc3' $'\xc2\x9b31m' $'\x9b2J' $'\x7f\b\r'
        '"\"},{"pid":0,"' $'\xf0\x9f\x92\xa9' '%s%n%n' $'\xe2\x80\xaegnp' '<0>PANIC' '*')
    need_other_users
    start_daemon "$ring" "$long_lease"
    for name in "${names[@]}"; do
        i=$((i + 1))
        as_alice spawn_peer "named$i" next hello="$name" await="$TEST_DIR/enough"
        wait_said "named$i" welcome
    done
    "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" status >"$TEST_DIR/status"
    "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" status --json >"$TEST_DIR/json"
    touch "$TEST_DIR/enough"
    stop_daemon
    assert_eq "$(perl -MJSON::PP -e 'local $/; print scalar @{decode_json(<STDIN>)->{sessions}}' \
        <"$TEST_DIR/json")" "${#names[@]}" 'sessions in the report'
    for i in status json log; do
        assert_eq "$(LC_ALL=C grep -acP '[^\x20-\x7e]' "$TEST_DIR/$i" || true)" 0 "lines of $i"
    done
    assert_eq "$(count_log '^shmd: session [0-9]+ .* subscribed')" "${#names[@]}" 'lines of the log'
    assert_eq "$(grep -vc '^shmd: ' "$log" || true)" 0 'other lines of the log'
}

run_tests "$@"
