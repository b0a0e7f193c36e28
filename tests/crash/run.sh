#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The daemon is killed, KILLS times in all (2000), and nobody must notice. It dies at random
# moments and at the marked steps of its code (base/step.h), in each layout, with a service manager
# that keeps its descriptors and without, under subscribers that check each record and an anonymous
# client that writes '*'. In the end, what the clients got is compared with what reached the journal.
#
#   make crash-test [KILLS=N] [CASES='test_NAME…']
#
# CRASH_SEED=N repeats the random choices of an earlier run, though not its timing. What each life
# came to stays in tests/crash/report of the build directory.
set -euo pipefail
KILLS=${KILLS:-2000}
export SHMD_TEST_TIMEOUT=${SHMD_TEST_TIMEOUT:-$((600 + KILLS))}
. "$(dirname "$0")/lib.sh"

# share PERMILLE: of the kills, rounded up
share() {
    echo $(((KILLS * $1 + 999) / 1000))
}

store_option() {
    [[ $1 == with ]] || echo --no-store
}

plain='poll_interval_ms = 1;'
ring='layout = "ring"; mode = "0644";'
overwrite="$ring when_full = \"overwrite\";"

# --- what finds faults must be able to ---

# audited CLAIM ENTRY…: the verdict about a journal with entries SEQUENCE EPOCH PID FIRST LAST RECORDS
audited() {
    echo "$1" >"$TEST_DIR/claims"
    printf '%s\n' "${@:2}" | awk '{ print $1, $2, 1, ($3 == "-" ? "-" : 0), $3, $4, $5, $6, "-", 7 }' |
        awk -f "$top_srcdir/tests/crash/audit.awk" "$TEST_DIR/claims" -
}

test_audit_finds_planted_violations() {
    local one='one 42 5 3 7' star='star - 2 0 0'
    assert_eq "$(audited "$one all" '1 e 42 3 3 1' '2 e 42 4 7 4' | grep -v ^#)" ''
    assert_contains "$(audited "$one all" '1 e 42 3 3 1' '3 e 42 4 7 4')" 'gap in SHMD_ACK_SEQ'
    assert_contains "$(audited "$one all" '2 e 42 3 7 5')" 'gap in SHMD_ACK_SEQ'
    assert_contains "$(audited "$one all" '1 e 42 3 3 1' '1 e 42 4 7 4')" 'SHMD_ACK_SEQ repeated'
    assert_contains "$(audited "$one all" '1 e 42 3 4 2' '2 e 42 4 6 3')" 'logged twice'
    assert_contains "$(audited "$one all" '1 e 42 3 4 2' '2 e 42 6 7 2')" 'records not logged' 'sum'
    assert_contains "$(audited "$one all" '1 e 42 3 7 4')" 'left out of a range' 'sum'
    assert_contains "$(audited "$one all" '1 e 42 3 6 4')" 'begin or end' 'sum'
    assert_contains "$(audited "$one all" '1 e 42 4 7 4')" 'begin or end' 'sum'
    assert_contains "$(audited "$one all" '1 e 43 3 7 5')" 'nobody knows' 'logged 0'
    assert_contains "$(audited "$one all" '1 e 42 3 4 2' '1 f 42 5 7 3')" 'more than one epoch'
    assert_contains "$(audited "$one lossy" '1 e 42 1 7 4')" 'sum of SHMD_RECORDS'
    assert_contains "$(audited "$one some" '1 e 42 1 7 6')" 'sum of SHMD_RECORDS'
    assert_contains "$(audited "$one some" '1 e 42 1 7 8')" 'contradicts itself'
    assert_eq "$(audited "$star star" '1 e - 1 1 1' '2 e - 2 2 1' | grep -v ^#)" ''
    assert_contains "$(audited "$star star" '1 e - 1 1 1' '2 e - 1 1 1')" 'logged twice'
    assert_contains "$(audited "$star star" '1 e - 1 1 1')" 'sum of SHMD_RECORDS'
    assert_contains "$(audited "$star stars" '1 e - 1 1 1' '2 e - 1 1 1' '3 e - 1 1 1')" 'sum of'
}

# --- the same subscribers and the same segment from the begin to the end ---

# undisturbed CASE with|without KIND LINE…
undisturbed() {
    local pauses=(0 0 20 50 100 100 200 300) i options
    begin "$1" 'lease_ms = 60000;' "${@:4}"
    other_steps >"$TEST_DIR/steps"
    mapfile -t options < <(store_option "$2")
    keep --kills="$(share 135)" --steps="$TEST_DIR/steps" "${options[@]}"
    for i in "${!pauses[@]}"; do
        spawn_follower "s$i" "${pauses[i]}"
    done
    [[ $* == *ring* ]] || spawn_star
    start_killing
    if wait_keeper 'done'; then
        end_subscribers "$3"
        [[ $* == *ring* ]] || claim_star stars
        same_segment
        (($(count_log '^epoch-started:') == 1)) || problem 'there was more than one epoch'
    fi
    stop_keeper
    audit
}

test_plain_with_store() {
    undisturbed steady-plain-with with all "$plain"
}

test_plain_without_store() {
    undisturbed steady-plain-without without all "$plain"
}

test_ring_wait_with_store() {
    undisturbed steady-wait-with with all "$ring size = 65536;"
}

test_ring_wait_without_store() {
    undisturbed steady-wait-without without all "$ring size = 65536;"
}

test_ring_overwrite_with_store() {
    undisturbed steady-overwrite-with with lossy "$overwrite size = 65536;"
}

test_ring_overwrite_without_store() {
    undisturbed steady-overwrite-without without lossy "$overwrite size = 65536;"
}

# Nobody but the anonymous client: each '*' is one record, and one entry.
test_anonymous_client_alone() {
    begin steady-anonymous "$plain"
    other_steps >"$TEST_DIR/steps"
    keep --kills="$(share 60)" --steps="$TEST_DIR/steps"
    spawn_star
    start_killing
    if wait_keeper 'done'; then
        touch "$TEST_DIR/enough"
        claim_star star
        same_segment
    fi
    stop_keeper
    audit
}

# --- publishers, and the same subscribers from the begin to the end ---

# pushed CASE with|without LINE…
pushed() {
    local options name
    begin "$1" 'lease_ms = 60000;' "$push" "${@:3}"
    push_steps >"$TEST_DIR/steps"
    mapfile -t options < <(store_option "$2")
    keep --kills="$(share 45)" --steps="$TEST_DIR/steps" "${options[@]}"
    for name in s0 s1 s2 s3; do
        await_follower "$name"
    done
    spawn_producer p0
    spawn_producer p1 0 20 50
    spawn_producer p2 0 60
    start_killing
    if wait_keeper 'done'; then
        end_publishing
        same_segment
        (($(count_log '^epoch-started:') == 1)) || problem 'there was more than one epoch'
    fi
    stop_keeper
    audit
}

test_push_plain_with_store() {
    pushed push-plain-with with "$plain size = 300;"
}

test_push_plain_without_store() {
    pushed push-plain-without without "$plain size = 300;"
}

test_push_ring_with_store() {
    pushed push-ring-with with "$ring size = 65536;"
}

test_push_ring_without_store() {
    pushed push-ring-without without "$ring size = 65536;"
}

# --- everything that happens less often ---

# One round: a subscriber comes and leaves, another one is stopped for longer than the lease, and
# the segment is replaced by one of another size, and back.
round=0
disturb() {
    local victim leaver
    round=$((round + 1))
    spawn_client "victim$round"
    victim=$client_pid
    spawn_client "leaver$round" 100
    leaver=$client_pid
    sleep 0.3
    kill -STOP "$victim" 2>/dev/null || true # it may have found no daemon
    touch "$TEST_DIR/leaver$round.enough"
    sleep 1.1
    reconfigure "size = $2;"
    sleep 0.2
    reconfigure "size = $1;"
    kill -CONT "$victim" 2>/dev/null || true
    touch "$TEST_DIR/victim$round.enough"
    ended+=("victim$round:$victim" "leaver$round:$leaver")
}

reconfigure() {
    configure "$settings" "$1"
    kill -HUP "$keeper" 2>/dev/null || true
}

# Some of them were evicted, or have found no daemon to begin with.
claim_ended() {
    local client name
    for client in "${ended[@]}"; do
        name=${client%:*}
        wait_client "${client#*:}" || problem "subscriber $name does not end"
        if grep -q ^subscribe: "$TEST_DIR/$name.out"; then
            echo "$name ${client#*:} 0 0 0 some" >>"$TEST_DIR/claims"
        elif [[ $name == victim* ]]; then
            claim "$name" "${client#*:}" some
        else
            claim "$name" "${client#*:}" "$1"
        fi
    done
}

# disturbed CASE with|without SIZE OTHER-SIZE LINE
disturbed() {
    local options ended=() settings="lease_ms = 700; $5" kind=lossy short_lease=1
    # Whoever leaves while there is no daemon, and nobody keeps its page, is heard of no more.
    [[ $2 == with ]] || kind=some
    begin "$1" "$settings" "size = $3;"
    # What the cases before have never met, is met here or nowhere.
    comm -23 <(other_steps) <(reached_steps steady) >"$TEST_DIR/steps"
    mapfile -t options < <(store_option "$2")
    keep --kills="$(($(share 15) + 3 * $(wc -l <"$TEST_DIR/steps")))" --steps="$TEST_DIR/steps" \
        --pause=1500000 --patience=2500000 "${options[@]}"
    spawn_follower one
    spawn_follower two 100
    [[ $* == *ring* ]] || spawn_star
    start_killing
    while ! keeper_said 'done' && ! keeper_failed; do
        disturb "$3" "$4"
    done
    if wait_keeper 'done'; then
        disturb "$3" "$4" # the last daemon does all this, too
        end_subscribers lossy
        [[ $* == *ring* ]] || claim_star stars
        claim_ended "$kind"
        (wait_until '(($(count_segments) == 1))') 2>/dev/null || # once all have exited
            problem "there are $(count_segments) segments"
        (($(count_log '^epoch-started:') == 1)) || problem 'there was more than one epoch'
    fi
    stop_keeper
    assert_disturbed "$@"
    audit -v segments=any
}

# What was to be driven has happened: else nothing was tested.
assert_disturbed() {
    local evictions replacements
    evictions=$(count_log '^session-evicted:')
    replacements=$(count_log '^segment-replaced:')
    diagnose "$round rounds: $evictions evictions, $replacements replacements"
    ((replacements > 0)) || problem 'the segment was never replaced'
    [[ $* == *overwrite* ]] || ((evictions > 0)) || problem 'nobody was ever evicted'
}

test_changes_plain_with_store() {
    disturbed changes-plain-with with 27 60 "$plain"
}

test_changes_plain_without_store() {
    disturbed changes-plain-without without 27 60 "$plain"
}

test_changes_ring_with_store() {
    disturbed changes-wait-with with 65536 32768 "$ring"
}

test_changes_ring_without_store() {
    disturbed changes-wait-without without 65536 32768 "$ring"
}

test_changes_overwrite_with_store() {
    disturbed changes-overwrite-with with 65536 32768 "$overwrite"
}

test_changes_overwrite_without_store() {
    disturbed changes-overwrite-without without 65536 32768 "$overwrite"
}

# --- first starts and stops: a new epoch each time ---

# begins_and_ends CASE LINE…
begins_and_ends() {
    begin "$@"
    other_steps >"$TEST_DIR/steps"
    keep --stops --kills="$(($(share 20) + 3 * $(wc -l <"$TEST_DIR/steps")))" \
        --steps="$TEST_DIR/steps" --pause=40000
    spawn_follower one
    [[ $* == *ring* ]] || spawn_star
    start_killing
    if wait_keeper 'done'; then
        (wait_follower one) || problem "the subscriber stands still: $(said one | tail -n 2 | paste -sd, -)"
        touch "$TEST_DIR/enough"
        wait_client "$follower_pid" || problem 'the subscriber does not end'
        claim one "$follower_pid" some
        [[ $* == *ring* ]] || claim_star stars
        (($(count_segments) == 1)) || problem "there are $(count_segments) segments"
    fi
    stop_keeper
    (($(count_segments) == 0)) || problem 'a segment was left'
    audit -v segments=any -v epochs=any
}

test_begins_and_ends_plain() {
    begins_and_ends begins-plain "$plain"
}

test_begins_and_ends_ring() {
    begins_and_ends begins-ring "$ring size = 65536;"
}

# --- and all of it was tried ---

test_every_step_was_reached() {
    local missing
    [[ -n $(all_steps) ]] || skip 'no marked steps, or built without --enable-crash-steps'
    cat "$report"/*.lives | awk '$3 == "step" { count[$1]++ } END { for (s in count) print count[s], s }' |
        sort -k 2 | sed 's/^/# killed at: /'
    missing=$(comm -23 <(all_steps) <(reached_steps '') | paste -sd' ')
    assert_eq "$missing" '' 'steps that no daemon has died at'
}

if [[ -z ${SHMD_TEST_CASE:-} ]]; then
    mkdir -p "$report"
    (($# > 0)) || rm -f "$report"/*.lives
fi
run_tests "$@"
