# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What a crash test has at hand besides peer.sh: a keeper that kills the daemon, clients that say
# what they got, and the audit that compares this with the journal. What is not as it should be is
# collected: one failed promise must not hide the next.
#
# Some of it is for the scripts only:
# shellcheck disable=SC2034,SC2154

# shellcheck source=tests/peer.sh
. "$(dirname "${BASH_SOURCE[0]}")/../peer.sh"

isolation+=(--mount)
# A sanitizer that looks for leaks at an exit says so on standard error if it is killed meanwhile.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
# Not in a chroot, for example, whose / is no mount point.
if [[ -z $cannot_isolate ]] && ! "${isolation[@]}" true 2>/dev/null; then
    cannot_isolate='no private mount namespace: unshare --mount is not permitted'
fi
report=$top_builddir/tests/crash/report # lives of all cases, and which case it was

# The names of all steps that the daemon's code has, unless it was built without.
all_steps() {
    grep -q SHMD_CRASH_STEP "$top_builddir/shmd" || return 0
    find "$top_srcdir"/src/{base,proto,conf,segment,source,daemon} -name '*.[ch]' ! -name step.h \
        -exec grep -hoE '\bSTEP\("[^"]+"\)' {} + | sed -E 's/.*"(.*)".*/\1/' | sort -u
}

# Those that a record comes by on its way from a publisher; all others.
push_steps() {
    all_steps | grep -E '^(transfer|publisher)\.' || true
}

other_steps() {
    all_steps | grep -vE '^(transfer|publisher)\.' || true
}

# reached_steps PREFIX: those that a daemon has died at, in the cases whose names begin so
reached_steps() {
    cat "$report/$1"*.lives 2>/dev/null | awk '$3 == "step" { print $1 }' | sort -u
}

problem() {
    printf 'VIOLATED: %s\n' "$*" >>"$TEST_DIR/problems"
}

# begin CASE LINE…: configures; what the case needs besides what each has
begin() {
    crash_case=$1
    mount -t tmpfs -o mode=0755 tmpfs /run 2>/dev/null || skip 'cannot mount anything of its own'
    mkdir -p /run/systemd/journal
    chmod 0755 "$RUNTIME_DIRECTORY"
    log=$TEST_DIR/entries
    : >"$TEST_DIR/problems"
    : >"$TEST_DIR/claims"
    : >"$log"
    configure "${@:2}"
    cp "$top_builddir"/tests/crash/{keeper,star} "$TEST_DIR/bin/"
    keeper=''
}

# keep OPTION…: starts the keeper, and with it the daemon
keep() {
    [[ -z ${CRASH_SEED:-} ]] || set -- --seed="$CRASH_SEED" "$@"
    "$TEST_DIR/bin/keeper" "$@" "$TEST_DIR" "$shmd" --config "$conf" >"$TEST_DIR/keeper.out" 2>&1 &
    keeper=$!
    wait_keeper ready
    diagnose "$(head -n 1 "$TEST_DIR/keeper.out")"
}

keeper_said() {
    grep -q "^$1" "$TEST_DIR/keeper.out"
}

# The keeper gives up at the first thing that it cannot account for.
keeper_failed() {
    keeper_said FAILED || ! kill -0 "$keeper" 2>/dev/null
}

# wait_keeper WORD: false if it has failed instead
wait_keeper() {
    while ! keeper_said "$1"; do
        if keeper_failed && ! keeper_said "$1"; then
            problem "$(tail -n 1 "$TEST_DIR/keeper.out")"
            return 1
        fi
        sleep 0.02
    done
}

start_killing() {
    killing_began=$SECONDS
    segment_before=$(segment_id)
    kill -USR1 "$keeper"
}

# One more client of the library, with an end of its own: spawn_client NAME [PAUSE-USEC]
spawn_client() {
    install_program follower
    "$TEST_DIR/bin/follower" "$RUNTIME_DIRECTORY/shmd.sock" "$1" "$TEST_DIR/$1.enough" "${@:2}" \
        >"$TEST_DIR/$1.out" 2>&1 &
    client_pid=$!
}

spawn_star() {
    "$TEST_DIR/bin/star" "$key" "$TEST_DIR/enough" >"$TEST_DIR/star.out" &
    star_pid=$!
}

# wait_client PID: bounded, because whoever waits for a record may wait for ever
wait_client() {
    if ! (wait_until "! grep -q '^State:.*[^Z] (' /proc/$1/status 2>/dev/null") 2>/dev/null; then
        kill -KILL "$1"
        return 1
    fi
    wait "$1" 2>/dev/null || true
}

# Where leases are short, a machine that is too busy for a subscriber has it evicted: it was told, and
# what it got is accounted for.
was_evicted() {
    [[ -n ${short_lease:-} ]] && grep -q '^got .* ended by Timer expired$' "$TEST_DIR/$1.out"
}

# claim NAME PID KIND: what it says it has got, for the audit; and whether it was content
claim() {
    local words got first last lost acknowledged faults cause
    # got N records, N-N, lost N, acknowledged N, faults N[, ended by …]
    words=$(sed -nE '/^got /{ s/^got ([0-9]+) records, ([0-9]+)-/\1 \2 /
        s/, (lost|acknowledged|faults|ended)//g; p }' "$TEST_DIR/$1.out")
    if [[ -z $words ]]; then
        problem "subscriber $1 did not end well: $(tail -n 1 "$TEST_DIR/$1.out")"
        echo "$1 $2 999999999999 0 0 some" >>"$TEST_DIR/claims"
        return
    fi
    read -r got first last lost acknowledged faults cause <<<"$words"
    if was_evicted "$1"; then
        set -- "$1" "$2" some
    fi
    if ((faults > 0)); then
        problem "subscriber $1: $(grep -vcE '^(segment|got|from)' "$TEST_DIR/$1.out") faults: $(
            grep -vE '^(segment|got|from)' "$TEST_DIR/$1.out" | head -n 3 | paste -sd, -)"
    fi
    if [[ $3 == all ]] && ((lost > 0)); then
        problem "subscriber $1 was told that it lost $lost records"
    fi
    if [[ $3 != some ]]; then
        [[ -z $cause ]] || problem "subscriber $1 ended $cause"
        # Who has got none has acknowledged what came before its first one.
        ((got == 0 || last == acknowledged)) || problem "subscriber $1 got up to $last, acknowledged $acknowledged"
    fi
    echo "$1 $2 $got $first $last $3" >>"$TEST_DIR/claims"
}

# claim_star KIND
claim_star() {
    if ! wait_client "$star_pid"; then
        problem 'the anonymous client waits for ever'
    fi
    echo "star - $(sed -n 's/^wrote //p' "$TEST_DIR/star.out") 0 0 $1" >>"$TEST_DIR/claims"
}

# Like wait_follower, for one that may be evicted meanwhile.
await_end_or_progress() {
    local before
    before=$(acknowledged_by "$1")
    wait_until "was_evicted '$1' || ((\$(acknowledged_by '$1') > $before + 20))"
}

# end_subscribers KIND: all that spawn_follower has started; each of them goes on to the end
end_subscribers() {
    local follower name pid
    for follower in "${followers[@]}"; do
        (await_end_or_progress "${follower%:*}") 2>/dev/null ||
            problem "subscriber ${follower%:*} stands still at record $(acknowledged_by "${follower%:*}")"
    done
    touch "$TEST_DIR/enough"
    for follower in "${followers[@]}"; do
        name=${follower%:*} pid=${follower#*:}
        wait_client "$pid" || problem "subscriber $name does not end"
        claim "$name" "$pid" "$1"
    done
}

# All producers end, and what they know to be published, each subscriber has got: all of it, once,
# and in order.
end_publishing() {
    local client name records
    touch "$TEST_DIR/produced"
    for client in "${producers[@]}"; do
        wait_client "${client#*:}" || problem "publisher ${client%:*} does not end"
        grep -qE '^handed in ([0-9]+), confirmed \1, rejected 0$' "$TEST_DIR/${client%:*}.said" ||
            problem "publisher ${client%:*}: $(tail -n 1 "$TEST_DIR/${client%:*}.said")"
    done
    records=$(status_field records)
    for client in "${followers[@]}"; do
        name=${client%:*}
        (wait_until "((\$(acknowledged_by '$name') == $records))") 2>/dev/null ||
            problem "subscriber $name stands still at $(acknowledged_by "$name") of $records"
    done
    touch "$TEST_DIR/enough"
    for client in "${followers[@]}"; do
        wait_client "${client#*:}" || problem "subscriber ${client%:*} does not end"
        claim "${client%:*}" "${client#*:}" all
        (assert_delivered "${client%:*}") 2>>"$TEST_DIR/problems" || true
    done
}

# The last daemon is stopped, and tells the journal what it still knows.
stop_keeper() {
    if ! keeper_failed; then
        kill -TERM "$keeper"
        wait_keeper ended || true
    fi
    wait "$keeper" || problem "the keeper failed: $(tail -n 1 "$TEST_DIR/keeper.out")"
    cp "$TEST_DIR/lives" "$report/$crash_case.lives"
}

same_segment() {
    local after
    after=$(segment_id)
    [[ $after == "$segment_before" ]] || problem "segment $segment_before has become «$after»"
    (($(count_segments) == 1)) || problem "there are $(count_segments) segments"
}

# audit [AWK-ARGUMENT…], and the verdict
audit() {
    awk -f "$top_srcdir/tests/crash/audit.awk" "$@" "$TEST_DIR/claims" "$TEST_DIR/acknowledgements" \
        >"$TEST_DIR/audit"
    grep '^VIOLATED' "$TEST_DIR/audit" >>"$TEST_DIR/problems" || true
    if [[ -s $TEST_DIR/errors ]]; then
        problem "on standard error: $(head -n 3 "$TEST_DIR/errors")"
    fi
    diagnose "$(lives_in_short), in $((SECONDS - killing_began)) s"
    diagnose "$(tail -n 1 "$TEST_DIR/keeper.out")"
    tail -n 1 "$TEST_DIR/audit"
    if [[ -s $TEST_DIR/problems ]]; then
        cat "$TEST_DIR/problems"
        fail "$(wc -l <"$TEST_DIR/problems") promises were not kept"
    fi
}

lives_in_short() {
    awk '{ ends[$3]++; starting += $4 == "starting" }
        END {
            printf "kills: %d at steps, %d at random moments, %d where a step was not reached; ",
                ends["step"], ends["random"], ends["missed"]
            printf "%d of all before it was ready", starting
        }' "$TEST_DIR/lives"
}
