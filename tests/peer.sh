# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What lib.sh offers, and clients with sessions: tests/integration/peer, which speaks the protocol
# itself, and tests/integration/follower, which leaves that to the library.
#
# Some of it is for the scripts only:
# shellcheck disable=SC2034

# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# peer ACTION…: at the socket of this case's daemon. "${peer_prefix[@]}" may name another user.
peer_prefix=()
peer() {
    install_program peer
    "${peer_prefix[@]}" timeout "$SHMD_TEST_TIMEOUT" "$TEST_DIR/bin/peer" "$RUNTIME_DIRECTORY/shmd.sock" "$@"
}

# A copy that other users may reach, whole under its name. (Half a program is a script to some, and
# ends well.)
install_program() {
    local program=$top_builddir/tests/integration/$1 copy=$TEST_DIR/bin/$1
    [[ -x $copy ]] && return
    [[ -x $program ]] || fail "no $program: make check_PROGRAMS builds it"
    cp "$program" "$copy.$BASHPID"
    cmp "$program" "$copy.$BASHPID" || fail "$program was not copied whole"
    mv "$copy.$BASHPID" "$copy"
}

# spawn_peer NAME ACTION…: in the background, its process id in $peer_pid
spawn_peer() {
    install_program peer
    : >"$TEST_DIR/$1.out"
    "${peer_prefix[@]}" "$TEST_DIR/bin/peer" "$RUNTIME_DIRECTORY/shmd.sock" "${@:2}" \
        >"$TEST_DIR/$1.out" 2>&1 &
    peer_pid=$!
}

# What it has said so far.
said() {
    cat "$TEST_DIR/$1.out"
}

# wait_said NAME TEXT
wait_said() {
    wait_until "grep -qF -- '$2' '$TEST_DIR/$1.out'"
}

# as_alice COMMAND…, as_bob COMMAND…: with peers of that user
as_alice() {
    local peer_prefix=("${alice[@]}")
    "$@"
}

as_bob() {
    local peer_prefix=("${bob[@]}")
    "$@"
}

# status_field FIELD: of the daemon's report
status_field() {
    peer status | sed -nE "s/.*\"$1\":\"?([^\",]*).*\"sessions\":.*/\1/p"
}

# session_field NAME FIELD: of the session that calls itself so; empty if there is none
session_field() {
    peer status | sed 's/{"role"/\n&/g' | sed -nE "/\"name\":\"$1\"/s/.*\"$2\":\"?([^\",}]*).*/\1/p"
}

# acknowledged_by NAME: up to which record; 0 while it has no session
acknowledged_by() {
    local number
    number=$(session_field "$1" acknowledged)
    echo "${number:-0}"
}

# An honest subscriber called "honest", at its own pace, until end_honest.
start_honest() {
    spawn_peer honest hello=honest slowly=500 follow="$TEST_DIR/enough"
    honest_pid=$peer_pid
    wait_said honest welcome
    assert_honest_goes_on
}

# Whatever has happened, it gets its records: a good number more than until now.
assert_honest_goes_on() {
    local before
    before=$(acknowledged_by honest)
    wait_until "((\$(acknowledged_by honest) > $before + 20))"
}

# Each record came once, in order and whole, and its session was never ended: else there would be
# other lines.
end_honest() {
    local taken
    assert_honest_goes_on
    touch "$TEST_DIR/enough"
    wait "$honest_pid"
    taken=$(sed -nE 's/^took ([0-9]+) records, from [0-9]+; .*; active$/\1/p' "$TEST_DIR/honest.out")
    if ((taken <= 20)) || (($(wc -l <"$TEST_DIR/honest.out") != 2)); then
        fail "$(said honest)"
    fi
}

# spawn_follower NAME [PAUSE-USEC]: a subscriber on the library, until end_followers
followers=()
spawn_follower() {
    await_follower "$@"
    wait_said "$1" segment
}

# The same where there may be no record yet.
await_follower() {
    install_program follower
    : >"$TEST_DIR/$1.out"
    "${peer_prefix[@]}" "$TEST_DIR/bin/follower" "$RUNTIME_DIRECTORY/shmd.sock" "$1" \
        "$TEST_DIR/enough" "${@:2}" >"$TEST_DIR/$1.out" 2>&1 &
    follower_pid=$!
    followers+=("$1:$!")
    wait_log "calls itself $1\) subscribed"
}

# All of them got their records in order and whole, and no record twice; they say what they got.
end_followers() {
    local follower
    touch "$TEST_DIR/enough"
    for follower in "${followers[@]}"; do
        wait "${follower#*:}" || fail "${follower%:*}: $(said "${follower%:*}" | grep -v '^at ' | tail -n 20)"
        diagnose "$(said "${follower%:*}" | tail -n 1)"
    done
}

# got NAME: how many records, and lost NAME: how many it was told that it has lost
got() {
    said "$1" | sed -nE 's/^got ([0-9]+) records.*/\1/p'
}

lost() {
    said "$1" | sed -nE 's/^got .* lost ([0-9]+), .*/\1/p'
}

# wait_follower NAME: until the daemon has seen it go on
wait_follower() {
    local before
    before=$(acknowledged_by "$1")
    wait_until "((\$(acknowledged_by '$1') > $before + 20))"
}

# The records that the log accounts for to a process.
logged() {
    sed -nE "s/.*pid $1\) acknowledged records? ([0-9]+)(-([0-9]+))? .*/\1 \3/p" "$log" |
        awk '{ sum += ($2 ? $2 : $1) - $1 + 1 } END { print sum + 0 }'
}

# The layouts, for cases that hold in both.
ring='layout = "ring"; size = 65536;'
plain='mode = "0644";'

# spawn_producer NAME [COUNT [LETTERS [PAUSE-USEC]]]: a publisher on the library, until COUNT or
# end_producers
producers=()
spawn_producer() {
    install_program producer
    : >"$TEST_DIR/$1.said"
    "${peer_prefix[@]}" "$TEST_DIR/bin/producer" "$RUNTIME_DIRECTORY/shmd.sock" "$1" \
        "$TEST_DIR/produced" "${@:2}" >"$TEST_DIR/$1.said" 2>&1 &
    producer_pid=$!
    producers+=("$1:$!")
    wait_until "grep -q . '$TEST_DIR/$1.said'"
}

# All of them end well, with all that they handed in confirmed.
end_producers() {
    local producer name
    touch "$TEST_DIR/produced"
    for producer in "${producers[@]}"; do
        name=${producer%:*}
        wait "${producer#*:}" || fail "$name: $(tail -n 3 "$TEST_DIR/$name.said")"
        grep -qE '^handed in ([0-9]+), confirmed \1, rejected 0$' "$TEST_DIR/$name.said" ||
            fail "$name: $(tail -n 1 "$TEST_DIR/$name.said")"
    done
}

# confirmed NAME: how many of its records a producer knows to be published
confirmed() {
    sed -nE 's/^handed in .* confirmed ([0-9]+),.*/\1/p' "$TEST_DIR/$1.said"
}

# assert_delivered FOLLOWER…: each got each record of each producer (that they came once and in
# order, the follower has judged)
assert_delivered() {
    local follower producer name total=0
    for producer in "${producers[@]}"; do
        name=${producer%:*}
        total=$((total + $(confirmed "$name")))
        for follower in "$@"; do
            assert_eq "$(said "$follower" | sed -n "s/^from $name: up to //p")" \
                "$(confirmed "$name")" "what $follower got of $name"
        done
    done
    for follower in "$@"; do
        assert_eq "$(got "$follower") $(lost "$follower")" "$total 0" "what $follower got, and lost"
    done
}

push='source = { type = "push"; };'
