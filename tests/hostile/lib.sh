# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Hostile users beside an honest one: alice and bob attack (attacker.c, peer.c), carol subscribes.
# Whatever they do, she gets each record once, in order and whole, in the one session that she began
# with, and at least a quarter as many in a second as beside neighbours who are busy with themselves.
# That ratio is taken within one run, so it holds on any machine.
#
# Some of it is for the scripts only:
# shellcheck disable=SC2034

# shellcheck source=tests/peer.sh
. "$(dirname "${BASH_SOURCE[0]}")/../peer.sh"

carol=(setpriv --reuid=1002 --regid=1002 --clear-groups)
HONEST_PAUSE_USEC=300
HONEST_TELLS_MSEC=50
LEAST_SHARE=4 # a quarter
ATTACK_ROUNDS=3
neighbours=(busy_neighbours)

# attacker ATTACK=ROUNDS…: as alice, or as "${peer_prefix[@]}" says; it ends with its case
attacker() {
    local prefix=("${peer_prefix[@]}")
    ((${#prefix[@]} > 0)) || prefix=("${alice[@]}")
    install_attacker
    "${prefix[@]}" timeout --foreground "$SHMD_TEST_TIMEOUT" "$TEST_DIR/bin/attacker" "$RUNTIME_DIRECTORY/shmd.sock" "$@"
}

# A copy that other users may reach, under its name at once.
install_attacker() {
    local program=$top_builddir/tests/hostile/attacker
    [[ -x $TEST_DIR/bin/attacker ]] && return
    [[ -x $program ]] || fail "no $program: make check_PROGRAMS builds it"
    cp "$program" "$TEST_DIR/bin/"
}

as_carol() {
    local peer_prefix=("${carol[@]}")
    "$@"
}

start_carol() {
    install_attacker
    as_carol spawn_follower carol "$HONEST_PAUSE_USEC" "$HONEST_TELLS_MSEC"
    wait_until '[[ $(carols_progress) ]]'
}

# When, and how many records she had then: "MSEC RECORDS"
carols_progress() {
    sed -nE 's/^at ([0-9]+) ms: ([0-9]+) records$/\1 \2/p' "$TEST_DIR/carol.out" | tail -n 1
}

# carols_rate COMMAND…: how many records she gets in a second while the command runs, in $rate
carols_rate() {
    local from_msec from_records msec records
    read -r from_msec from_records < <(carols_progress)
    "$@"
    read -r msec records < <(carols_progress)
    ((msec > from_msec)) || fail "too short to measure: $*"
    rate=$((1000 * (records - from_records) / (msec - from_msec)))
}

# What neighbours cost her that take processor time, and nothing else.
busy_neighbours() {
    local pids=()
    timeout --foreground 1 sh -c 'while :; do :; done' &
    pids+=("$!")
    timeout --foreground 1 sh -c 'while :; do :; done' &
    pids+=("$!")
    wait "${pids[@]}" || true
}

# beside_carol COMMAND…: the attack, and what it costs her, compared with "${neighbours[@]}". A
# scheduler that has many others to serve may have had a bad moment for her: then it is tried again,
# up to ATTACK_ROUNDS times. How often that was is in $round.
beside_carol() {
    local before
    for ((round = 1; round <= ATTACK_ROUNDS; round++)); do
        carols_rate "${neighbours[@]}"
        before=$rate
        carols_rate "$@"
        diagnose "$*: carol got $rate records/s, $before beside ${neighbours[*]}"
        ((rate * LEAST_SHARE < before)) || return 0
    done
    fail "carol got $rate records/s, and $before beside neighbours that attack nobody: $*"
}

# She goes on when nobody attacks any more; and what she got is what the log says of her.
end_carol() {
    wait_follower carol
    end_followers
    stop_daemon
    assert_eq "$(count_log 'session [0-9]+ \(uid 1002, .*calls itself carol\) subscribed')" 1 'her sessions'
    # An entry about a range covers what was lost in it, too; where nobody waits, she may lose some.
    assert_eq "$(logged "${follower_pid}")" "$(($(got carol) + $(lost carol)))" 'records logged of her'
    if ! grep -q overwrite "$conf"; then
        assert_eq "$(lost carol)" 0 'records that she lost'
    fi
}

count_descriptors() {
    find "/proc/$daemon/fd" -type l | wc -l
}

# as_both COMMAND…: as alice and as bob at once
as_both() {
    local pid
    install_attacker
    as_bob "$@" &
    pid=$!
    as_alice "$@"
    wait "$pid"
}
