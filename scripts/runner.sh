# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What runs the tiers of scripts/test: programs that speak TAP, several at a time, each through
# Automake's driver, as `make check` would run it. Each case is counted, and each takes its time.
#
# Whatever is started is a process group of its own, and is waited for by `wait`, which a signal
# interrupts: so all of it can be ended at any time (interrupted()).
#
# Much here is for scripts/test only:
# shellcheck disable=SC2034,SC2154

BUILD_MB=1000          # that the builds and logs take
TEST_MB=1000           # … and the directories of tests, for a while
MEMORY_MB=8000         # that must be available to do that in memory
SLOWEST=10             # cases that are listed at the end
STOP_SECONDS=30        # for what is told to end, before it is killed
jobs=$((2 * $(nproc))) # tests at a time: they wait more than they compute

strength=short
fail_fast=false
builds=''   # a directory that stays; else one is made
made=false  # … by this run
chosen=()   # tiers
timings=()  # of these
begun=()    # of the tier that runs: names of tests
passed=0 failed=0 skipped=0
declare -A built=() # in this run

say() {
    printf '\n==> %s\n' "$*"
}

die() {
    printf 'scripts/test: %s\n' "$*" >&2
    exit "${status:-1}"
}

names() {
    printf '%s\n' "$@" | cut -d ' ' -f 1
}

parse_arguments() {
    local known
    mapfile -t known < <(names "${tiers[@]}" "${more_tiers[@]}")
    while (($# > 0)); do
        case $1 in
        --all) strength=full ;;
        --fail-fast) fail_fast=true ;;
        --builds)
            [[ -n ${2:-} ]] || status=2 die '--builds needs a directory'
            builds=$2
            shift
            ;;
        --help | --tiers)
            if [[ $1 == --help ]]; then usage; else printf '%s\n' "${tiers[@]}" "${more_tiers[@]}"; fi
            exit 0
            ;;
        -*) status=2 die "unknown option $1: see scripts/test --help" ;;
        *)
            printf '%s\n' "${known[@]}" | grep -qxF -- "$1" ||
                status=2 die "unknown tier «$1»; the tiers are: ${known[*]}"
            chosen+=("$1")
            ;;
        esac
        shift
    done
    if ((${#chosen[@]} == 0)); then
        mapfile -t chosen < <(names "${tiers[@]}")
        [[ $strength == short ]] || chosen=("${known[@]}")
    fi
}

# Where TMPDIR does not say it, builds and tests have their directories in memory, if there is enough
# of it: they come and go faster, and no disk that is full for a moment makes a test fail.
choose_directory() {
    local probe
    [[ -z ${TMPDIR:-} ]] || return 0
    export TMPDIR=/tmp
    [[ -w /dev/shm ]] || return 0
    (($(free_mb /dev/shm) >= BUILD_MB + TEST_MB &&
        $(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo) >= MEMORY_MB)) || return 0
    probe=$(mktemp /dev/shm/shmd.XXXXXX)
    printf '#!/bin/sh\n' >"$probe"
    chmod +x "$probe"
    ! "$probe" 2>/dev/null || TMPDIR=/dev/shm
    rm -f "$probe"
}

free_mb() {
    df --output=avail --block-size=1M "$1" | awk 'END { print $1 + 0 }'
}

# What cannot work is said before anything is done.
check_surroundings() {
    choose_directory
    if [[ -z $builds ]]; then
        check_room "$TMPDIR" $((BUILD_MB + TEST_MB))
    else
        mkdir -p "$builds" || exit
        [[ -e $builds/source ]] || check_room "$builds" "$BUILD_MB"
        check_room "$TMPDIR" "$TEST_MB"
    fi
    ((EUID == 0)) || echo 'Not root: cases that play several users, or boot a system, are skipped.'
}

# check_room DIRECTORY MB
check_room() {
    local free
    [[ -d $1 && -w $1 ]] || die "cannot write to $1: set TMPDIR to a directory for builds and tests"
    free=$(free_mb "$1")
    ((free >= $2)) || die "$1 has $free MB free, $2 are needed: make room, or set TMPDIR to another directory"
}

begin() {
    if [[ -n $builds ]]; then
        builds=$(cd "$builds" && pwd)
    else
        make_scratch
        builds=$scratch
        made=true
    fi
    results=$builds/results
    export TMPDIR=$builds/tmp # of the tests: what one leaves behind goes with it
    trap 'interrupted 130' INT
    trap 'interrupted 143' TERM HUP
    rm -rf "$results" "$TMPDIR"
    mkdir "$results" "$TMPDIR"
    chmod 1777 "$TMPDIR"
}

# --- running ---

# spawn LOG COMMAND…: in the background, in a process group of its own. (It is not the caller who
# redirects: what a signal has us say meanwhile would go there, too.)
spawn() {
    set -m
    "${@:2}" </dev/null >"$1" 2>&1 &
    set +m
}

# quietly NAME COMMAND…: its output goes to a log, of which the end is shown if it fails
quietly() {
    local log=$results/$1.log status=0
    spawn "$log" "${@:2}"
    wait "$!" || status=$?
    ((status == 0)) || tail -n 60 "$log"
    return "$status"
}

# A tier, or a part of it, that has no cases to count.
count_failure() {
    printf 'FAILED: %s\n' "$*"
    failed=$((failed + 1))
}

# With --fail-fast: has anything failed?
is_enough() {
    $fail_fast && { ((failed > 0)) ||
        grep -qrE '^:test-result: (FAIL|XPASS|ERROR)' "$results" --include='*.trs'; }
}

run_tier() {
    local started=$SECONDS
    tier=$1
    as=()
    begun=()
    ! is_enough || return 0
    say "$tier"
    mkdir "$results/$tier"
    "tier_$tier" || count_failure "$tier could not be run"
    count_results
    timings+=("$(printf '%6d s  %s' $((SECONDS - started)) "$tier")")
    echo "$passed passed, $failed failed, $skipped skipped so far; $((SECONDS - started)) s"
}

# run_one NAME COMMAND…: as soon as there is room. "${as[@]}" may name another user.
run_one() {
    wait_for_room
    ! is_enough || return 0
    begun+=("$1")
    spawn /dev/null drive "$@"
}

# Through the driver, in the build $in, with what it was made $from.
drive() {
    local log=$results/$tier/$1
    export top_srcdir=$from top_builddir=$in CC=gcc
    mkdir -p "${log%/*}"
    cd "$in" || exit
    exec bash "$builds/source/build-aux/tap-driver.sh" --test-name "$1" --log-file "$log.log" \
        --trs-file "$log.trs" --color-tests no -- "${as[@]}" "${@:2}" >"$log.out" 2>&1
}

# Those whose names in the build come on standard input, one in a line.
run_all() {
    local name
    while IFS= read -r name <&3; do
        case $name in
        *.sh) run_one "${name%.sh}" "$from/$name" ;;
        *) run_one "$name" bash "$from/tests/unit/run.sh" "$in/$name" ;;
        esac
    done 3<&0
    wait_for_all
}

# wait_for_room [COUNT]: until fewer than that many are running
wait_for_room() {
    while (($(jobs -pr | wc -l) >= ${1:-$jobs})); do
        wait -n || true
        ! is_enough || end_all
    done
}

wait_for_all() {
    wait_for_room 1
}

# Ends what is running: it is told to, and cleans up.
end_all() {
    local pids pid deadline=$((SECONDS + STOP_SECONDS))
    mapfile -t pids < <(jobs -pr)
    for pid in "${pids[@]}"; do
        kill -TERM -- "-$pid" 2>/dev/null || true
    done
    while [[ -n $(jobs -pr) ]] && ((SECONDS < deadline)); do
        sleep 0.1
    done
    for pid in "${pids[@]}"; do
        kill -KILL -- "-$pid" 2>/dev/null || true
    done
    wait
}

# --- results ---

# Of the tier: adds up what the driver found, case by case; says why cases were skipped, which failed,
# and what those said. What was begun has a result, unless it was ended because another one failed.
count_results() {
    local name file log results_of bad
    for name in "${begun[@]}"; do
        log=$results/$tier/$name.log
        file=${log%.log}.trs
        if [[ ! -s $file ]]; then
            is_enough || count_failure "$tier $name has no result"
            continue
        fi
        results_of=$(sed -n 's/^:test-result: //p' "$file")
        passed=$((passed + $(count 'PASS|XFAIL')))
        skipped=$((skipped + $(count SKIP)))
        grep -E '^(ok .*|1\.\.0 )# SKIP' "$log" | sed -E 's/^(ok [0-9]+|1\.\.0 #) (- )?/  skipped: /' || true
        # A script with failed cases ends with a status for that: no further failure.
        bad=$(count 'FAIL|XPASS')
        if ((bad > 0)); then
            name_failed '^(FAIL|XPASS): '
        else
            bad=$(count ERROR)
            ((bad == 0)) || name_failed '^ERROR: '
        fi
        failed=$((failed + bad))
        ((bad == 0)) || grep -vE '^(PASS|ok)[: ]' "$log" | tail -n 200 || true
    done
}

# In the caller's $log.
name_failed() {
    grep -E "$1" "$log" | sed "s/^[A-Z]*: /FAILED: $tier /"
}

# How many of the caller's $results_of are of a kind.
count() {
    grep -cE "^($1)" <<<"$results_of" || true
}

# The cases that took longest; each has said so in its log.
slowest() {
    find "$results" -name '*.log' -exec awk -v results="$results/" '
        FNR == 1 { name = FILENAME; sub(results, "", name); sub(/\.log$/, "", name) }
        match($0, /^# .*: [0-9]+\.[0-9] s$/) {
            seconds = $(NF - 1)
            sub(/^# /, ""); sub(/: [0-9.]+ s$/, "")
            printf "%8.1f s  %s: %s\n", seconds, name, $0
        }' {} + | sort -rn | sed -n "1,${SLOWEST}p"
}

finish() {
    say 'How long each tier took, with what it had built'
    printf '%s\n' "${timings[@]}"
    say "The $SLOWEST cases, or groups of unit tests, that took longest"
    slowest
    echo
    rm -rf "$TMPDIR"
    if $made && ((failed == 0)); then
        rm -rf "$builds"
    else
        printf 'The builds and logs are in %s\n' "$builds"
    fi
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    ((failed == 0 && passed > 0))
}

interrupted() {
    trap '' INT TERM HUP
    printf '\nscripts/test: interrupted; ending what is running\n' >&2
    end_all
    rm -rf "$TMPDIR"
    ! $made || rm -rf "$builds"
    exit "$1"
}
