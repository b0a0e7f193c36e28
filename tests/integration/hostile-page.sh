#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A subscriber may write what it likes into its page, and do what it likes to the descriptors that it
# was given. A claim that cannot be true ends its session, and is logged; everything else hurts only
# itself. Beside it, an honest subscriber gets each record, and the daemon ends as always.
set -euo pipefail
. "$(dirname "$0")/../peer.sh"

lied='ended: it acknowledged backwards, or what was never published'

# beside_an_honest_one LAYOUT ACTION…: what the hostile one has said is then in $output
beside_an_honest_one() {
    : >"$log"
    rm -f "$TEST_DIR/enough"
    start_daemon "$1" "$short_lease"
    start_honest
    output=$(peer hello=hostile "${@:2}")
    end_honest
    stop_daemon
}

# It is caught, told, and the entry names it.
assert_caught() {
    assert_contains "$output" 'ended: evicted'
    assert_eq "$(count_log "session [0-9]+ \(uid $EUID, pid [0-9]+, calls itself hostile\) $lied")" 1
}

# It has its session as before.
assert_not_caught() {
    assert_eq "$(count_log "$lied")" 0
    assert_eq "$(count_log 'calls itself hostile\) left')" 1
}

in_both_layouts() {
    local layout
    for layout in "$plain" "$ring"; do
        "$1" "$layout"
    done
}

beyond() {
    beside_an_honest_one "$1" take=3 claim=+1000000 ended
    assert_caught
    beside_an_honest_one "$1" claim=18446744073709551615 ended
    assert_caught
}
test_acknowledged_beyond_what_was_published() {
    in_both_layouts beyond
}

backwards() {
    beside_an_honest_one "$1" take=5 claim=0 ended
    assert_caught
    # What it had acknowledged before is logged all the same.
    assert_contains "$(cat "$log")" 'acknowledged record'
    beside_an_honest_one "$1" take=5 claim=4 ended
    assert_caught
}
test_acknowledged_backwards() {
    in_both_layouts backwards
}

# Flags and rings without rhyme or reason; it still gets its records.
flicker() {
    beside_an_honest_one "$1" take=3 flicker=20000 take=3 flicker=20000 take=3
    assert_not_caught
    assert_eq "$(grep -c 'took 3 records' <<<"$output")" 3
}
test_flickering_flags() {
    in_both_layouts flicker
}

# The daemon's doorbell is full, nothing is non-blocking any more, and its own bell is never heard:
# the daemon does not block, neither when it rings nor when it is rung.
block() {
    # It acknowledges without ringing. In plain that holds up each record until the daemon looks again
    # for another reason, so only the ring gets as far as a full socket.
    beside_an_honest_one "$1" take=1 block "deaf=$([[ $1 == "$ring" ]] && echo 6000 || echo 300)"
    assert_not_caught
    assert_contains "$output" 'bell filled' 'deaf to ' '; active'
    diagnose "$(grep deaf <<<"$output")"
}
test_doorbells_that_would_block() {
    in_both_layouts block
}

# Nobody is there any more to hear the bell: that is no signal, and no error.
closed_bell() {
    beside_an_honest_one "$1" take=1 close-bell deaf=100
    assert_not_caught
    assert_contains "$output" '; active'
}
test_closed_bell() {
    in_both_layouts closed_bell
}

# The page cannot be made smaller, nor sealed against the daemon.
resize() {
    beside_an_honest_one "$1" resize take=3
    assert_not_caught
    assert_eq "$output" "$(head -n 1 <<<"$output")
shrink: EPERM
grow: EPERM
seal: EPERM
$(tail -n 1 <<<"$output")"
    assert_contains "$output" 'took 3 records'
}
test_page_cannot_be_resized() {
    in_both_layouts resize
}

# A hole in it is a page of zeros: backwards.
punch() {
    beside_an_honest_one "$1" take=3 punch ended
    assert_caught
}
test_hole_in_the_page() {
    in_both_layouts punch
}

# The daemon does not read its own lines.
garbage() {
    beside_an_honest_one "$1" take=3 garbage
    assert_not_caught
    beside_an_honest_one "$1" take=3 garbage=all ended
    assert_contains "$output" 'ended: '
    assert_eq "$(count_log "$lied")" 1
}
test_garbage_in_the_page() {
    in_both_layouts garbage
}

# Unmapped, it acknowledges nothing any more: its lease ends it.
unmap() {
    beside_an_honest_one "$1" take=3 unmap ended
    assert_contains "$output" unmapped 'ended: no page'
    assert_eq "$(count_log 'calls itself hostile\) evicted')" 1
}
test_unmapped_page() {
    in_both_layouts unmap
}

# Nobody can claim to have lost what is not overwritten: each record that it acknowledges counts.
test_many_at_once() {
    local i pids=()
    start_daemon "$ring" "$long_lease"
    start_honest
    for i in {1..8}; do
        spawn_peer "hostile$i" hello=hostile take=$((i * 3)) claim=+1000000 ended
        pids+=("$peer_pid")
    done
    wait "${pids[@]}"
    end_honest
    assert_eq "$(count_log "calls itself hostile\) $lied")" 8
}

run_tests "$@"
