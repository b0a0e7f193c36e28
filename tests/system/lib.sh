# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What the system tests have at hand: the machine that `run` has booted, with shmd installed as it
# would be, two users, and the journal. All cases of a script share one boot; set_up puts the service
# back to where a fresh installation stands.
#
# Some of it is for the scripts only:
# shellcheck disable=SC2034

top_srcdir=/shmd
# shellcheck source=tests/tap.sh
. "$top_srcdir/tests/tap.sh"
# shellcheck source=tests/segments.sh
. "$top_srcdir/tests/segments.sh"

units=(shmd.socket 'shmd@*.socket' shmd.service 'shmd@*.service')

# What would be done once on a machine: install, make users, read the catalog.
prepare_machine() {
    cp -a /shmd/stage/. /
    systemd-sysusers
    journalctl --update-catalog
    useradd --uid 1000 alice
    useradd --uid 1001 bob
    systemctl daemon-reload
    cp /etc/shmd.conf /etc/shmd.conf.installed
}

# processes NAME: the ids of those that have it, of which the kernel keeps 15 characters. (This is a
# machine without procps: so are others that shmd is installed on.)
processes() {
    grep -lx -- "$1" /proc/[0-9]*/comm 2>/dev/null | cut -d / -f 3 || true
}

# processes_of UID…
processes_of() {
    local uid
    for uid; do
        grep -lE "^Uid:[[:space:]]+${uid}[[:space:]]" /proc/[0-9]*/status 2>/dev/null |
            cut -d / -f 3 || true
    done
}

# signal_all SIGNAL PROCESS…: some may have ended
signal_all() {
    local process
    for process in "${@:2}"; do
        kill "-$1" "$process" 2>/dev/null || true
    done
}

# What the service and systemd said in a case that failed.
show_journal_if_failed() {
    local status=$?
    if ((status != 0 && status != 77)); then
        echo '--- journal'
        journalctl --since="@${since:-0}" --quiet --no-pager --lines=40 --unit='shmd*' || true
    fi
}

set_up() {
    local others
    trap show_journal_if_failed EXIT
    mapfile -t others < <(processes systemd-journal)
    signal_all CONT "${others[@]}"
    # A client that outlived its case would subscribe again, to this case's daemon.
    mapfile -t others < <(processes_of 1000 1001)
    signal_all KILL "${others[@]}"
    systemctl stop "${units[@]}"
    rm -rf /etc/systemd/system/shmd*.service.d /etc/shmd /run/shmd
    systemctl daemon-reload
    systemctl reset-failed
    ipcrm --all=shm
    cp /etc/shmd.conf.installed /etc/shmd.conf
    journalctl --sync
    since=$(date +%s.%6N)
}

configure() {
    printf '%s\n' "$@" >/etc/shmd.conf.new
    mv /etc/shmd.conf.new /etc/shmd.conf
}

main_pid() {
    systemctl show --property=MainPID --value shmd
}

# entries [MATCH…]: this case's journal entries in the export format. (Not --after-cursor: that one
# of systemd 252 leaves out the first entry that matches.)
entries() {
    journalctl --sync
    journalctl --since="@$since" --output=export --quiet "$@"
}

# values FIELD [MATCH…]: one line for each entry that has the field
values() {
    entries "${@:2}" | sed -n "s/^$1=//p"
}

count_entries() {
    entries "$@" | grep -c '^__CURSOR=' || true
}

# wait_for_entries COUNT MATCH…: until there are as many. The daemon's log has a thread of its own:
# what is logged comes some time after what it is about.
wait_for_entries() {
    wait_until "((\$(count_entries ${*:2}) >= $1))"
    assert_eq "$(count_entries "${@:2}")" "$1" "entries ${*:2}"
}

# sum FIELD [MATCH…]: over the acknowledgements
sum() {
    values "$1" SHMD_EVENT=acknowledged "${@:2}" | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

# How many records the entries cover in all.
count_records() {
    sum SHMD_RECORDS
}

# It has failed for good: a service that is to be started again is not failed, but activating.
assert_failed_with() {
    wait_until '[[ $(systemctl show --property=ActiveState --value shmd) == failed ]]'
    assert_eq "$(systemctl show --property=ExecMainStatus --value shmd)" "$1" 'ExecMainStatus'
    assert_eq "$(systemctl show --property=NRestarts --value shmd)" 0 'NRestarts'
}

# as USER COMMAND…
as() {
    runuser -u "$1" -- "${@:2}"
}

# peer ACTION…: speaks the protocol itself, see tests/integration/peer.c; PEER_SOCKET names another
# socket
peer() {
    timeout "$PATIENCE_S" /shmd/programs/peer "${PEER_SOCKET:-/run/shmd/shmd.sock}" "$@"
}

# peer_as USER ACTION…
peer_as() {
    as "$1" timeout "$PATIENCE_S" /shmd/programs/peer "${PEER_SOCKET:-/run/shmd/shmd.sock}" "${@:2}"
}
