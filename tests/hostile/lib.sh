# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Hostile users beside an honest one: alice and bob attack (attacker.c, peer.c), carol subscribes.
# Whatever they do, she gets each record once, in order and whole, in the one session that she began
# with, and at least a quarter as many in a second as beside neighbours who are busy with themselves.
# That ratio is taken within one run, so it holds on any machine; whether the machine was the same
# all the while, tells a pacer, who has nothing to do with the daemon.
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
    start_pacer
}

# He wakes, and goes to sleep again for as long as carol does between two records.
start_pacer() {
    : >"$TEST_DIR/pacer.out"
    perl -MTime::HiRes=clock_gettime,CLOCK_MONOTONIC -e '
        my ($pause, $tell, $told, $steps) = (@ARGV, 0, 0);
        $| = 1;
        for (;;) {
            select(undef, undef, undef, $pause / 1e6);
            $steps++;
            my $now = int(1000 * clock_gettime(CLOCK_MONOTONIC));
            print "at $now ms: $steps records\n" and $told = $now if $now - $told >= $tell;
        }' 300 "$HONEST_TELLS_MSEC" >"$TEST_DIR/pacer.out" &
    wait_until '[[ $(progress pacer) ]]'
}

# progress NAME: when, and how many records it had then: "MSEC RECORDS"
progress() {
    sed -nE 's/^at ([0-9]+) ms: ([0-9]+) records$/\1 \2/p' "$TEST_DIR/$1.out" | tail -n 1
}

carols_progress() {
    progress carol
}

# between BEFORE AFTER: of two such words, how many in a second
between() {
    local from=("${@:1:2}") to=("${@:3:2}")
    echo $((1000 * (to[1] - from[1]) / (to[0] - from[0])))
}

# carols_rate COMMAND…: how many records she gets in a second while the command runs, in $rate, and
# how many steps the pacer makes, in $pace
carols_rate() {
    local before_her before_him
    before_her=$(carols_progress)
    before_him=$(progress pacer)
    "$@"
    wait_until "[[ \$(carols_progress) != '$before_her' && \$(progress pacer) != '$before_him' ]]"
    # shellcheck disable=SC2046,SC2086
    rate=$(between $before_her $(carols_progress))
    # shellcheck disable=SC2046,SC2086
    pace=$(between $before_him $(progress pacer))
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
# up to ATTACK_ROUNDS times. How often that was is in $round. If the pacer, too, made less than half of
# the steps during an attack, the machine had more to do, or was slower; from that nothing follows.
beside_carol() {
    local before before_pace disturbed=''
    for ((round = 1; round <= ATTACK_ROUNDS; round++)); do
        carols_rate "${neighbours[@]}"
        before=$rate before_pace=$pace
        carols_rate "$@"
        diagnose "$*: carol got $rate records/s, $before beside ${neighbours[*]}"
        ((rate * LEAST_SHARE < before)) || return 0
        ((pace * 2 >= before_pace)) || disturbed="the pacer made $pace steps/s, and $before_pace before"
    done
    [[ -n $disturbed ]] ||
        fail "carol got $rate records/s, and $before beside neighbours that attack nobody: $*"
    inconclusive "$disturbed, when carol got $rate records/s, and $before before"
    round=$ATTACK_ROUNDS
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
