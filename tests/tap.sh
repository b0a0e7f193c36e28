# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# How a test script runs its cases.
#
# A script defines functions test_*, one for each case, and ends with `run_tests "$@"`. Each case
# runs in a process of its own: the script starts itself again with the case's name in the
# environment. So a case can change directory, set variables, die or hang, and the next one starts
# afresh. A case has
#   - a directory of its own, $TEST_DIR, that everyone may enter, and that goes away afterwards;
#   - a time bound, $SHMD_TEST_TIMEOUT seconds (600);
#   - a session of its own, so that whatever it leaves running is ended with it;
#   - what "${isolation[@]}" adds in front, if a library sets that (lib.sh: a private namespace).
#
# The script prints TAP, which Automake's driver counts. A case passes when it returns; it fails
# through one of the assert_… functions, through fail, or through any command that fails (set -e);
# it says why it cannot run through skip. What a failed case printed follows as diagnostics; of a
# passed one, only lines that begin with "# ". By hand:
#   top_builddir=BUILD tests/integration/lifecycle.sh [test_NAME…]

# Tests say what order, messages and characters they mean, wherever they run.
export LC_ALL=C
# How long a test waits for what has to come, in seconds; and a case in all. Both are generous on
# purpose: they say "broken", never "slow". What a test waits for, it waits for by an event (a line of
# the log, an answer, a record), never by a time; and that something does not happen, it sees from
# what comes after it. (In C: tests/patience.h.)
PATIENCE_S=${PATIENCE_S:-120}
export SHMD_TEST_TIMEOUT=${SHMD_TEST_TIMEOUT:-600}

isolation=()
cannot_isolate=''

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    local frame
    for ((frame = 1; frame < ${#BASH_SOURCE[@]} - 1; frame++)); do
        printf '  in %s, %s line %s\n' "${FUNCNAME[frame]}" "${BASH_SOURCE[frame]}" \
            "${BASH_LINENO[frame - 1]}" >&2
    done
    exit 1
}

skip() {
    printf '%s\n' "$*" >"$TEST_DIR/skipped"
    exit 77
}

# inconclusive WORDS: what something was to be compared with was disturbed. The case goes on, for the
# sake of all else that it shows; then it counts as skipped, unless it fails.
inconclusive() {
    printf 'inconclusive: %s\n' "$*" >"$TEST_DIR/skipped"
}

# Says something that is worth reading even when all is well: measurements.
diagnose() {
    printf '# %s\n' "$*"
}

# assert_eq ACTUAL EXPECTED [WHAT]
assert_eq() {
    [[ $1 == "$2" ]] || fail "${3:-value} is «$1», expected «$2»"
}

# assert_contains TEXT PART…: all parts, in any order
assert_contains() {
    local text=$1 part
    shift
    for part in "$@"; do
        [[ $text == *"$part"* ]] || fail "«$part» is not in «$text»"
    done
}

# assert_exit STATUS COMMAND…: runs the command, its output (both streams) goes to $output
assert_exit() {
    local expected=$1 status=0
    shift
    # For the caller.
    # shellcheck disable=SC2034
    output=$("$@" 2>&1 </dev/null) || status=$?
    [[ $status == "$expected" ]] || fail "exit status of «$*» is $status, expected $expected: $output"
}

# assert_exit_of PID STATUS: of a process in the background
assert_exit_of() {
    local status=0
    wait "$1" || status=$?
    assert_eq "$status" "$2" 'exit status'
}

# wait_until CONDITION [SECONDS]: looks again and again until the condition (shell text) holds
wait_until() {
    local deadline=$((SECONDS + ${2:-PATIENCE_S}))
    until eval "$1"; do
        ((SECONDS < deadline)) || fail "waited ${2:-$PATIENCE_S} s in vain for: $1"
        sleep 0.02
    done
}

# Milliseconds, of a clock that nobody sets.
now_msec() {
    local up
    read -r up _ </proc/uptime
    echo "${up/./}0"
}

# How long each case took is said behind it: what the longest ones are, the runner of all tests shows.
report_case() {
    local number=$1 name=${2#test_} directory=$3 status=$4 verdict='not ok' note=''
    local milliseconds=$(($(now_msec) - $5))
    case $status in
    0) verdict=ok ;;
    77) verdict=ok note=" # SKIP $(cat "$directory/skipped")" ;;
    124 | 137) note=" # took longer than $SHMD_TEST_TIMEOUT s" ;;
    1) ;;
    *) note=" # ended with status $status" ;;
    esac
    printf '%s %d - %s%s\n' "$verdict" "$number" "${name//_/ }" "$note"
    if [[ $verdict == ok ]]; then
        grep '^# ' "$directory/output" || true
    else
        sed 's/^/#   /' "$directory/output"
    fi
    printf '# %s: %d.%d s\n' "${name//_/ }" $((milliseconds / 1000)) $((milliseconds / 100 % 10))
}

# end_session ID: kills its processes, until there is none; but for zombies
end_session() {
    local file stat fields found=yes
    while [[ -n $found ]]; do
        found=''
        for file in /proc/[0-9]*/stat; do
            read -r stat 2>/dev/null <"$file" || continue
            read -ra fields <<<"${stat##*) }" # state, parent, group, session, …
            if [[ ${fields[3]} == "$1" && ${fields[0]} != [ZX] ]]; then
                ! kill -KILL "${file//[^0-9]/}" 2>/dev/null || found=yes
            fi
        done
    done
}

run_case() {
    local name=$1 number=$2 pid status=0 began
    began=$(now_msec)
    TEST_DIR=$(mktemp -d "${TMPDIR:-/tmp}/shmd-test.XXXXXX")
    chmod 0755 "$TEST_DIR"
    SHMD_TEST_CASE=$name TEST_DIR=$TEST_DIR setsid timeout --kill-after=10 "$SHMD_TEST_TIMEOUT" \
        "${isolation[@]}" "$BASH" "$0" >"$TEST_DIR/output" 2>&1 </dev/null &
    pid=$!
    # shellcheck disable=SC2064
    trap "end_session $pid; rm -rf '$TEST_DIR'" EXIT
    wait "$pid" || status=$?
    end_session "$pid"
    report_case "$number" "$name" "$TEST_DIR" "$status" "$began"
    trap - EXIT
    rm -rf "$TEST_DIR"
    ((status == 0 || status == 77))
}

run_tests() {
    if [[ -n ${SHMD_TEST_CASE:-} ]]; then
        # A command that fails without a word is named, too.
        set -E
        trap 'printf "FAILED: status %d of: %s\n" "$?" "$BASH_COMMAND" >&2' ERR
        if declare -F set_up >/dev/null; then
            set_up
        fi
        "$SHMD_TEST_CASE"
        if declare -F tear_down >/dev/null; then
            tear_down
        fi
        [[ ! -e $TEST_DIR/skipped ]] || exit 77
        exit 0
    fi

    trap 'exit 1' HUP INT TERM
    local cases=("$@") name number=0 failed=0
    if ((${#cases[@]} == 0)); then
        mapfile -t cases < <(sed -nE 's/^(test_[[:alnum:]_]+)\(\).*/\1/p' "$0")
    fi
    printf '1..%d\n' "${#cases[@]}"
    for name in "${cases[@]}"; do
        number=$((number + 1))
        if [[ -n $cannot_isolate ]]; then
            printf 'ok %d - %s # SKIP %s\n' "$number" "${name#test_}" "$cannot_isolate"
            continue
        fi
        run_case "$name" "$number" || failed=1
    done
    exit "$failed"
}
