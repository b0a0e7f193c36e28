#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A reload that changes source, size and layout together: what the new source yields is fitted to
# the new segment. Whatever the source is, a record that fits is published whole, and one that does
# not is rejected; and nothing is written where no record may stand, as the sanitizers would say.
#
# Each case goes to and fro between a small segment and a large one, with another source each time,
# and once with the same one.
set -euo pipefail
. "$(dirname "$0")/../peer.sh"

LONG=10000 # bytes of a record that only the large segment holds

# The segments, by names that the cases make up of size and layout.
# shellcheck disable=SC2034
{
    small_plain='size = 64; mode = "0644";'
    small_ring='layout = "ring"; size = 16384; mode = "0644";'
    large_plain='size = 20000; mode = "0644";'
    large_ring='layout = "ring"; size = 262144; mode = "0644";'
}
lease='lease_ms = 60000;'
types=(alphabet file command stream push pattern)

# The long record, in a file: letters, as the daemon makes them.
write_long() {
    perl -e 'print substr("abcdefghijklmnopqrstuvwxyz" x 400, 0, $ARGV[0])' "$LONG" >"$TEST_DIR/long"
    (cat "$TEST_DIR/long" && echo) >"$TEST_DIR/line"
}

# source_of TYPE: its settings; each yields the long record, but for the alphabet
source_of() {
    local settings
    case $1 in
    file) settings="path = \"$TEST_DIR/long\";" ;;
    command) settings="command = [\"/bin/cat\", \"$TEST_DIR/long\"];" ;;
    stream) settings="command = [\"/bin/sh\", \"-c\", \"while cat $TEST_DIR/line; do :; done\"];" ;;
    pattern) settings="frame_size = $LONG;" ;;
    *) settings='' ;;
    esac
    echo "source = { type = \"$1\"; $settings timeout_ms = 60000; };"
}

# Judges each line of the input: how long it is, and whether it is a record that is whole: letters
# in order, behind a number where the pattern has made it. There may be millions: of those that are
# as long as the one before, it says so of a hundred in a second.
judge() {
    perl -MTime::HiRes=time -e '
        $| = 1;
        my ($said, $last) = (0, -1);
        while (<STDIN>) {
            chomp;
            my ($number, $letters) = /^(\d{16})?(.*)$/;
            my $first = ord($letters) - ord("a");
            my $whole = $first >= 0 && $first < 26 && $letters eq
                substr("abcdefghijklmnopqrstuvwxyz" x 1000, $first, length $letters);
            next if $whole && length == $last && time < $said + 0.01;
            ($said, $last) = (time, length);
            print length, $whole ? " whole\n" : " broken\n";
        }'
}

# What a record of this source in this segment is, in the words of judge; nothing: none fits.
expected() {
    local segment=$1 type=$2
    case $segment:$type in
    small_plain:alphabet) echo '63 whole' ;;
    large_plain:alphabet) echo '19999 whole' ;;
    *_ring:alphabet) echo '26 whole' ;;
    large_*) echo "$LONG whole" ;;
    esac
}

# go_to SEGMENT TYPE: reloads, and asserts what comes
go_to() {
    local segment=$1 type=$2 wanted rejected before publisher=''
    wanted=$(expected "$segment" "$type")
    rejected=$(count_log "rejected.*\\b$LONG bytes|\\b$LONG bytes.*rejected")
    before=$(grep -cxF -- "$wanted" "$TEST_DIR/judged" || true)
    configure "${!segment}" "$lease" "$(source_of "$type")"
    reload_daemon
    if [[ $type == push ]]; then
        "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" publish <"$TEST_DIR/line" \
            >"$TEST_DIR/publisher" 2>&1 &
        publisher=$!
    fi
    if [[ -z $wanted && $type != push ]]; then
        wait_until "((\$(count_log 'rejected.*\\b$LONG bytes|\\b$LONG bytes.*rejected') > $rejected))"
    elif [[ -n $wanted && $followed == no ]]; then
        assert_eq "$("$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" --timeout 60 \
            --from oldest | judge)" "$wanted" "a record of $type in $segment"
    elif [[ -n $wanted ]]; then
        wait_until "((\$(grep -cxF -- '$wanted' '$TEST_DIR/judged') > $before))"
    fi
    if [[ -n $publisher && -n $wanted ]]; then
        wait "$publisher" || fail "$(cat "$TEST_DIR/publisher")"
    elif [[ -n $publisher ]]; then
        ! wait "$publisher" || fail "published $LONG bytes in $segment"
    fi
}

# There is a subscriber all the time, until "$TEST_DIR/enough" is there: then it may be in the midst of
# writing a record.
follow() {
    local status=0
    "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" follow --from oldest &
    echo "$!" >"$TEST_DIR/follower"
    wait "$!" || status=$?
    [[ -e $TEST_DIR/enough ]] || fail "follow ended with $status"
}

# to_and_fro SMALL LARGE [FOLLOWED]
to_and_fro() {
    local small=small_$1 large=large_$2 i followed=${3:-no} follower=''
    write_long
    : >"$TEST_DIR/judged"
    start_daemon "${!small}" "$lease"
    if [[ $followed == yes ]]; then
        follow 2>"$TEST_DIR/follow.err" | judge >"$TEST_DIR/judged" &
        follower=$!
        wait_log 'subscribed'
    fi
    for i in "${!types[@]}"; do
        go_to "$large" "${types[i]}"
        go_to "$small" "${types[(i + 3) % ${#types[@]}]}"
    done
    go_to "$large" alphabet
    go_to "$small" alphabet
    go_to "$large" alphabet
    if [[ -n $follower ]]; then
        touch "$TEST_DIR/enough"
        kill "$(<"$TEST_DIR/follower")"
        wait "$follower" || fail "$(cat "$TEST_DIR/follow.err")"
    fi
    if grep -F broken "$TEST_DIR/judged"; then
        fail 'such records were published'
    fi
}

test_plain_and_plain() {
    to_and_fro plain plain
}

test_plain_and_ring() {
    to_and_fro plain ring
}

test_ring_and_plain() {
    to_and_fro ring plain
}

test_ring_and_ring() {
    to_and_fro ring ring
}

test_plain_and_plain_with_a_subscriber() {
    to_and_fro plain plain yes
}

test_plain_and_ring_with_a_subscriber() {
    to_and_fro plain ring yes
}

test_ring_and_plain_with_a_subscriber() {
    to_and_fro ring plain yes
}

test_ring_and_ring_with_a_subscriber() {
    to_and_fro ring ring yes
}

run_tests "$@"
