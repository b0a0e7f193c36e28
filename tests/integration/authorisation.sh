#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Who may subscribe, by the user and the groups that the kernel names; and what a user cannot do
# about the segment and the sessions of others.
set -euo pipefail
. "$(dirname "$0")/../peer.sh"

allow() {
    printf 'allow = { subscribe = "%s"; };' "$1"
}

assert_admitted() {
    assert_contains "$("$@" peer hello=me take=1)" welcome 'took 1 records'
}

assert_refused() {
    assert_eq "$("$@" peer hello=me)" 'refused EPERM: this user may not subscribe'
}

# as_member GROUPS COMMAND…: as alice with those groups besides her own
as_member() {
    local peer_prefix=(setpriv --reuid=1000 --regid=1000 --groups="$1")
    "${@:2}"
}

# as_user NAME COMMAND…
as_user() {
    local peer_prefix=(setpriv --reuid="$(id -u "$1")" --regid="$(id -g "$1")" --clear-groups)
    "${@:2}"
}

as_dave() {
    local peer_prefix=("${dave[@]}")
    "$@"
}

as_root() {
    "$@"
}

test_everybody() {
    need_other_users
    start_daemon "$ring"
    assert_admitted as_alice
    assert_admitted as_bob
    assert_admitted as_root
}

# Nobody but root, and an entry that says who wanted to.
test_nobody() {
    need_other_users
    start_daemon "$ring" "$(allow '')"
    assert_refused as_alice
    wait_log 'session [0-9]+ \(uid 1000, pid [0-9]+.*\) refused: this user may not subscribe'
    assert_admitted as_root
    # The totals are for everybody.
    assert_contains "$(as_alice peer status)" '"layout":"ring"'
}

# … and the daemon's own user.
test_the_own_user() {
    need_other_users
    chown 1004 "$RUNTIME_DIRECTORY"
    daemon_prefix=("${dave[@]}")
    start_daemon "$ring" "$(allow '')"
    assert_admitted as_dave
    assert_refused as_bob
    assert_admitted as_root
}

test_users_by_number_and_name() {
    need_other_users
    start_daemon "$ring" "$(allow '  1000	nobody ')"
    assert_admitted as_alice
    assert_refused as_bob
    assert_admitted as_user nobody
    assert_refused as_user daemon
}

test_groups() {
    need_other_users
    start_daemon "$ring" "$(allow "@2000 @$(id -gn nobody)")"
    assert_refused as_alice
    assert_admitted as_member 2000
    assert_admitted as_member 7,8,2000,9
    assert_refused as_member 2001
    assert_admitted as_member "$(id -g nobody)"
}

# The group that a process runs as is one of its groups, even if it is not listed a second time.
test_primary_group() {
    need_other_users
    start_daemon "$ring" "$(allow '@1000')"
    assert_admitted as_alice
    assert_refused as_bob
}

# The log names the user, not the group.
test_the_user_in_the_log() {
    need_other_users
    start_daemon "$ring"
    local peer_prefix=(setpriv --reuid=1000 --regid=2000 --clear-groups)
    peer hello=me take=1 >/dev/null
    wait_log '\(uid 1000, pid [0-9]+\) acknowledged record 1 '
}

# A user of very many groups has all of them.
test_many_groups() {
    need_other_users
    start_daemon "$ring" "$(allow '@5000')"
    assert_admitted as_member "$(seq -s, 5000 5299)"
}

# A name that nobody has would be a hole or a lock-out: it is refused when the file is read.
test_unknown_names() {
    local name
    for name in no-such-user '@no-such-group' 'root no-such-user' -1 '@' 4294967295; do
        configure "$(allow "$name")"
        assert_exit 78 "$shmd" --check-config --config "$conf"
        assert_contains "$output" "$conf:1: " allow.subscribe
    done
}

# A reload decides about who comes; who is there stays.
test_reload() {
    need_other_users
    start_daemon "$ring"
    as_alice start_honest
    configure "$ring" "$(allow 1001)"
    reload_daemon
    assert_refused as_alice
    assert_contains "$(as_bob peer hello=his)" welcome
    end_honest
    configure "$ring" "$(allow 1000)"
    reload_daemon
    assert_admitted as_alice
    assert_refused as_bob
}

# A ring is read by everybody, and written by nobody but the daemon: not through the session, and
# not by key either.
test_the_ring_is_read_only() {
    need_other_users
    start_daemon "$ring"
    assert_contains "$(as_alice peer hello=me attach-for-writing)" 'attach for writing: EACCES' \
        'make writable: EACCES'
    assert_exit 1 "${alice[@]}" ipcrm --shmem-key 5678
    wait_until '(($(segment_field 5678 nattch) == 1))'
}

# assert_unreadable COMMAND…: refused, before it has seen anything of a record
assert_unreadable() {
    assert_eq "$("$@" peer hello=me)" \
        'refused EACCES: the mode of the segment does not let this user read it'
}

# The segment's mode counts for subscribers, too, in both layouts: its owner, else its group, else
# the others, as the kernel decides.
test_a_mode_that_excludes() {
    need_other_users
    local layout
    for layout in "$ring" ''; do
        start_daemon "$layout" 'mode = "0600";'
        assert_unreadable as_alice
        wait_log 'session [0-9]+ \(uid 1000, pid [0-9]+.*\) refused: the mode of the segment'
        assert_admitted as_root
        stop_daemon
        start_daemon "$layout" 'mode = "0640"; group = "2000";'
        assert_unreadable as_alice
        assert_admitted as_member 7,2000
        stop_daemon
        start_daemon "$layout" 'mode = "0604"; group = "2000";'
        assert_admitted as_alice
        assert_unreadable as_member 2000
        stop_daemon
    done
}

# … also when a reload takes the permission away: who has a session loses it, even if it has let go
# of the segment.
test_a_mode_that_comes_to_exclude() {
    need_other_users
    local layout unmap
    for layout in "$ring" ''; do
        for unmap in '' unmap; do
            start_daemon "$layout" 'mode = "0644";'
            as_alice spawn_peer hers hello=hers ${unmap:+unmap} ended
            wait_said hers "${unmap:-welcome}"
            configure "$layout" 'mode = "0600";'
            reload_daemon
            wait_said hers 'ended:'
            assert_unreadable as_alice
            stop_daemon
        done
    done
}

# A publisher reads nothing, and needs no permission for it.
test_publishing_needs_no_mode() {
    need_other_users
    start_daemon "$ring" 'mode = "0600"; allow = { publish = "1000"; };' "$push"
    echo record | "${alice[@]}" "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" publish
    assert_eq "$("$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" --from oldest)" record
}

# An attempt that comes to nothing changes nothing: what nobody has acknowledged stays.
test_refused_is_as_if_never_there() {
    need_other_users
    start_daemon "$ring" 'mode = "0600"; allow = { subscribe = "1000"; };' "$push"
    local client=("$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock")
    seq 10 | "${client[@]}" publish
    assert_exit 1 "${alice[@]}" "${client[@]}" --timeout 5 follow
    assert_contains "$output" 'segment' 'mode'
    assert_exit 1 "${bob[@]}" "${client[@]}" --timeout 5 follow
    assert_contains "$output" allow.subscribe
    assert_eq "$("${client[@]}" read --from oldest --count 10)" "$(seq 10)" 'what is still there'
}

# Nobody gets at the page of somebody else's session, neither at its client nor at the daemon.
test_pages_of_others() {
    need_other_users
    start_daemon "$ring"
    as_alice spawn_peer alice hello=hers await="$TEST_DIR/enough"
    wait_said alice welcome
    wait_until '[[ $("${alice[@]}" readlink /proc/$peer_pid/fd/* 2>/dev/null) == *memfd:shmd-page* ]]'
    assert_fds_hidden "${bob[@]}"
    stop_daemon
}

assert_fds_hidden() {
    local pid
    for pid in "$peer_pid" "$daemon"; do
        assert_exit 2 "$@" ls "/proc/$pid/fd/"
        assert_contains "$output" 'Permission denied'
        assert_exit 1 "$@" cat "/proc/$pid/fd/4"
        assert_contains "$output" 'Permission denied'
    done
}

run_tests "$@"
