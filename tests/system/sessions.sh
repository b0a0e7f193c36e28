#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Sessions with shmd as a service: the socket units, and what the journal says of subscribers. These
# cases run as root in a container that `run` has booted for them.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

socket=/run/shmd/shmd.sock
ring='layout = "ring"; size = 65536;'

# spawn_follower USER NAME [PAUSE]: a subscriber on the library, until end_followers
followers=()
spawn_follower() {
    as "$1" /shmd/programs/follower "$socket" "$2" "$TEST_DIR/enough" "${@:3}" >"$TEST_DIR/$2.out" &
    followers+=("$!")
    wait_until "grep -q ^segment '$TEST_DIR/$2.out'"
}

end_followers() {
    local follower
    touch "$TEST_DIR/enough"
    for follower in "${followers[@]}"; do
        wait "$follower" || fail "$(tail -n 3 "$TEST_DIR"/*.out)"
    done
}

got() {
    sed -nE 's/^got ([0-9]+) records.*/\1/p' "$TEST_DIR/$1.out"
}

# The first client starts the daemon, and is served.
test_socket_activation() {
    configure "$ring"
    systemctl start shmd.socket
    assert_eq "$(systemctl is-active shmd.service || true)" inactive
    assert_eq "$(count_segments)" 0
    assert_contains "$(peer_as alice hello=first take=3)" 'welcome layout 2' 'took 3 records'
    assert_eq "$(systemctl is-active shmd.service)" active
    assert_contains "$(peer_as bob hello=second take=3)" 'took 3 records'
    assert_eq "$(stat -c '%F %a' "$socket")" 'socket 666'
}

# The directory belongs to the daemon's user and everybody can pass through, whoever comes first.
test_directory() {
    local first
    for first in shmd.socket shmd.service; do
        systemctl stop "${units[@]}"
        rm -rf /run/shmd
        systemctl start "$first"
        assert_eq "$(stat -c %a /run/shmd)" 755 "mode after $first"
        systemctl start shmd.service
        assert_eq "$(stat -c %U:%G:%a /run/shmd)" shmd:shmd:755 "after $first"
        assert_contains "$(peer_as alice hello=me take=1)" 'took 1 records'
    done
}

# Only who asks for activation has it.
test_service_without_the_socket_unit() {
    systemctl enable shmd.service shmd@second.service 2>/dev/null
    assert_eq "$({ systemctl is-enabled shmd.socket shmd@second.socket || true; } | sort -u)" disabled
    systemctl disable shmd.service shmd@second.service 2>/dev/null
    systemctl start shmd.service
    assert_eq "$(systemctl is-active shmd.socket || true)" inactive
    assert_eq "$(stat -c '%F %a' "$socket")" 'socket 666'
    # A unit that starts now would take it away from the service.
    assert_exit 1 systemctl start shmd.socket
    assert_contains "$(peer_as alice hello=me take=1)" 'took 1 records'
}

# What was started with one command is stopped with one, whoever follows, and comes back with one.
test_stop_while_somebody_follows() {
    local unit path
    mkdir -p /etc/shmd
    echo 'key = 6000; layout = "ring"; size = 8192;' >/etc/shmd/second.conf
    configure "$ring"
    for unit in shmd shmd@second; do
        path=/run/shmd/${unit#*@}.sock
        systemctl start "$unit"
        as alice shm-client follow --socket "$path" >"$TEST_DIR/$unit.out" 2>&1 &
        wait_until "[[ -s '$TEST_DIR/$unit.out' ]]"
        systemctl stop "$unit"
        assert_eq "$({ systemctl is-active "$unit.service" "$unit.socket" || true; } | sort -u)" inactive
        [[ ! -e $path ]] || fail "$path is still there"
        assert_exit 3 as alice shm-client --socket "$path" --timeout 2
        assert_eq "$(systemctl is-active "$unit.service" || true)" inactive "$unit later"
        systemctl start "$unit"
        wait_until "[[ \$(PEER_SOCKET=$path peer status) == *'\"subscribers\":1'* ]]"
        systemctl stop "$unit"
    done
}

# Who has activation: after a stop the next client starts it again. To stop it is to stop the socket.
test_stop_with_activation() {
    systemctl start shmd.socket
    assert_contains "$(peer_as alice hello=me take=1)" 'took 1 records'
    systemctl stop shmd.service 2>/dev/null
    assert_eq "$(count_segments)" 0
    [[ -S $socket ]] || fail 'the socket is gone'
    assert_contains "$(peer_as alice hello=me take=1)" 'took 1 records'
    assert_eq "$(systemctl is-active shmd.service)" active
    systemctl stop shmd.socket
    assert_eq "$(systemctl is-active shmd.service || true)" inactive 'without its socket'
    [[ ! -e $socket ]] || fail 'the socket is still there'
    assert_eq "$(count_segments)" 0
}

# Killed or restarted, the service goes on listening on the socket that it has made: who comes
# meanwhile waits. Where somebody has removed its name, the next daemon makes another one.
test_own_socket_is_kept() {
    local inode
    systemctl start shmd.service
    inode=$(stat -c %i "$socket")
    systemctl restart shmd.service
    kill -KILL "$(main_pid)"
    assert_contains "$(peer_as alice hello=me take=1)" 'took 1 records'
    systemctl restart shmd.service
    assert_eq "$(stat -c %i "$socket")" "$inode" 'inode of the socket'
    rm "$socket"
    systemctl restart shmd.service
    assert_contains "$(peer_as alice hello=me take=1)" 'took 1 records'
}

# A restart does not break listening, whoever made the socket: nobody who comes meanwhile is turned
# away.
test_restart_keeps_listening() {
    assert_keeps_listening shmd.service
}

test_restart_keeps_listening_with_the_socket_unit() {
    assert_keeps_listening shmd.socket
}

assert_keeps_listening() {
    local turned_away
    configure "$ring"
    systemctl start "$1"
    spawn_follower alice steady 200
    while [[ ! -e $TEST_DIR/enough ]]; do
        peer_as bob hello=visitor
    done >"$TEST_DIR/visitors" 2>&1 &
    for _ in {1..5}; do
        systemctl restart shmd.service
        sleep 0.2
    done
    wait_until '[[ $(peer status) == *"\"name\":\"steady\""* ]]'
    end_followers
    wait
    turned_away=$(grep -v ^welcome "$TEST_DIR/visitors" || true)
    # The last ones may have found a session cut short by the restart; none found nobody.
    [[ $turned_away != *refused* && $turned_away != *'No such file'* ]] || fail "$turned_away"
    assert_eq "$(grep -c ^segment "$TEST_DIR/steady.out")" 1 'segments'
    diagnose "$(grep -c ^welcome "$TEST_DIR/visitors") visitors during 5 restarts; $(tail -n 1 "$TEST_DIR/steady.out")"
}

# assert_all_accounted_for: what the followers got is what the journal says, each entry once
assert_all_accounted_for() {
    local sum=0 follower
    journalctl --sync
    values SHMD_ACK_SEQ SHMD_EVENT=acknowledged | awk '$1 != NR' | head -n 3 | diff /dev/null - ||
        fail 'SHMD_ACK_SEQ has a gap or a repetition'
    for follower in "$TEST_DIR"/*.out; do
        sum=$((sum + $(got "$(basename "$follower" .out)")))
        grep -q ' lost 0, .*faults 0$' "$follower" || fail "$(cat "$follower")"
    done
    assert_eq "$(count_records)" "$sum" 'records in the journal'
}

# Whatever ends the daemon, its clients notice a pause: systemd keeps their sessions.
survives() {
    local i segment
    configure "$1"
    systemctl start shmd.service
    segment=$(segment_id)
    spawn_follower alice quick
    spawn_follower bob slow 2000
    spawn_follower alice other 100
    for i in {1..8}; do
        sleep "0.$((i * 37 % 30 + 10))"
        kill -KILL "$(main_pid)"
        wait_until "[[ \$(systemctl show --property=NRestarts --value shmd) == $i ]]"
        wait_until '[[ $(systemctl is-active shmd) == active ]]'
    done
    for i in {1..4}; do
        systemctl restart shmd.service
        sleep "0.$((i * 53 % 20))"
    done
    end_followers
    systemctl stop shmd.service 2>/dev/null
    assert_eq "$(count_entries SHMD_EVENT=session-started)" 3 'sessions'
    assert_eq "$(count_entries SHMD_EVENT=epoch-started)" 1 'epochs'
    assert_eq "$(values SHMD_SHMID SHMD_EVENT=acknowledged | sort -u)" "$segment" 'segments'
    assert_all_accounted_for
    diagnose "8 kills, 4 restarts: $(got quick), $(got slow) and $(got other) records"
}
test_survives_ring() {
    survives "$ring"
}
test_survives_plain() {
    survives 'mode = "0644";'
}

# An upgrade is a restart, with another file under the same name: nobody notices more than a pause.
test_upgrade_of_the_binary() {
    local i program
    configure "$ring"
    systemctl start shmd.service
    program=$(readlink "/proc/$(main_pid)/exe")
    spawn_follower alice quick
    spawn_follower bob slow 2000
    for i in {1..3}; do
        cp "$program" "$program.new"
        mv "$program.new" "$program"
        [[ $(readlink "/proc/$(main_pid)/exe") == *'(deleted)' ]] || fail 'it was not replaced'
        systemctl restart shmd.service
        assert_eq "$(readlink "/proc/$(main_pid)/exe")" "$program" 'the program that runs'
        sleep 0.3
    done
    end_followers
    systemctl stop shmd.service 2>/dev/null
    assert_eq "$(count_entries SHMD_EVENT=session-started)" 2 'sessions'
    assert_eq "$(count_entries SHMD_EVENT=epoch-started)" 1 'epochs'
    assert_eq "$(count_entries SHMD_EVENT=segment-created)" 1 'segments'
    assert_all_accounted_for
    assert_exit 0 audit
}

# damage STATE-FILE HOW: as it may be when it comes from a full disk, another version, another boot
damage() {
    case $2 in
    cut) truncate --size=1000 "$1" ;;
    version) printf '\377' | dd of="$1" bs=1 seek=8 conv=notrunc status=none ;;
    boot) printf '\125' | dd of="$1" bs=1 seek=50 conv=notrunc status=none ;;
    esac
}

# acknowledged_more_than N: the daemon says so, with or without a journal
acknowledged_more_than() {
    (($(peer status | sed -nE 's/.*"acknowledged":([0-9]+),"rejected".*/\1/p') > $1))
}

# State that cannot be trusted: a new epoch, and an entry that says so; the sessions of the old one,
# of which nothing is known any more, are subscribed to anew. Each epoch is whole by itself.
test_state_that_cannot_be_trusted() {
    local how epochs=1
    configure "$ring"
    mkdir -p /etc/systemd/system/shmd.service.d
    printf '[Service]\nRestartSec=2\n' >/etc/systemd/system/shmd.service.d/slow.conf
    systemctl daemon-reload
    systemctl start shmd.service
    spawn_follower alice steady 1000
    for how in cut version boot; do
        wait_until "((\$(values SHMD_EPOCH SHMD_EVENT=acknowledged | sort -u | wc -l) == $epochs))"
        kill -KILL "$(main_pid)"
        damage "$(echo /run/shmd/key-*.state)" "$how"
        if [[ $(systemctl show --property=SubState --value shmd) != auto-restart ]]; then
            inconclusive 'the next daemon was there before the state was damaged'
            return
        fi
        epochs=$((epochs + 1))
        wait_until "((\$(grep -c ^segment '$TEST_DIR/steady.out') == $epochs))"
        wait_for_entries "$epochs" SHMD_EVENT=epoch-started
        assert_contains "$(values MESSAGE SHMD_EVENT=epoch-started | tail -n 1)" \
            'the state of an earlier daemon is damaged or of another boot or version'
    done
    wait_until "((\$(values SHMD_EPOCH SHMD_EVENT=acknowledged | sort -u | wc -l) == $epochs))"
    end_followers
    systemctl stop shmd.service 2>/dev/null
    assert_eq "$(values SHMD_EPOCH SHMD_EVENT=acknowledged | sort -u | wc -l)" "$epochs" 'epochs'
    assert_exit 0 audit
    assert_contains "$output" 'user alice (uid 1000): 4 sessions'
}

# What a client has acknowledged in a daemon's absence counts, even if the client is gone before the
# daemon is back.
test_a_client_that_ends_while_the_daemon_is_dead() {
    configure "$ring"
    mkdir -p /etc/systemd/system/shmd.service.d
    printf '[Service]\nRestartSec=2\n' >/etc/systemd/system/shmd.service.d/slow.conf
    systemctl daemon-reload
    systemctl start shmd.service
    as alice /shmd/programs/peer "$socket" hello=late take=1 await="$TEST_DIR/dead" take=3 \
        >"$TEST_DIR/late" &
    wait_until "grep -q 'took 1 records' '$TEST_DIR/late'"
    kill -KILL "$(main_pid)"
    touch "$TEST_DIR/dead"
    wait "$!"
    assert_contains "$(cat "$TEST_DIR/late")" 'took 3 records'
    wait_until '[[ $(systemctl is-active shmd) == active ]]'
    wait_until '(($(count_records) == 4))'
    wait_for_entries 1 SHMD_EVENT=session-ended
}

# What an entry says of a subscriber is the kernel's word, except for the name.
test_fields_of_an_acknowledgement() {
    local entry pid field
    configure "$ring"
    systemctl start shmd.socket
    # shellcheck disable=SC2016
    pid=$(as alice sh -c 'echo $$; exec /shmd/programs/peer "$0" hello=tester take=1 >/dev/null' "$socket")
    wait_for_entries 1 SHMD_EVENT=acknowledged
    entry=$(entries SHMD_EVENT=acknowledged)
    for field in SHMD_EVENT=acknowledged SHMD_INSTANCE=shmd SHMD_KEY=0x0000162e \
        "SHMD_SHMID=$(segment_id)" SHMD_ACK_SEQ=1 SHMD_RECORD_FIRST=1 SHMD_RECORD_LAST=1 \
        SHMD_RECORDS=1 SHMD_BYTES=26 "SHMD_CLIENT_PID=$pid" SHMD_CLIENT_UID=1000 \
        SHMD_CLIENT_GID=1000 SHMD_CLIENT_USER=alice SHMD_CLIENT_NAME=tester \
        SHMD_CLIENT_VERIFIED=yes "_PID=$(main_pid)" "_UID=$(id -u shmd)" \
        _SYSTEMD_UNIT=shmd.service \
        "MESSAGE=alice (uid 1000, pid $pid) acknowledged record 1 (26 bytes) after "; do
        assert_contains $'\n'"$entry" $'\n'"$field"
    done
}

# Coming and going: who, and how.
test_entries_of_sessions() {
    local event
    configure "$ring" 'lease_ms = 3000;' 'allow = { subscribe = "alice"; };'
    systemctl start shmd.socket
    peer_as alice hello=good take=1 >/dev/null
    peer_as alice hello=idle ended >/dev/null
    peer_as alice hello=liar take=1 claim=+99999 ended >/dev/null
    peer_as bob hello=bob >/dev/null
    peer_as alice send=text ended >/dev/null
    wait_for_entries 3 SHMD_EVENT=session-refused
    assert_eq "$(values SHMD_CLIENT_NAME SHMD_EVENT=session-started | tr '\n' ' ')" 'good idle liar '
    assert_eq "$(values SHMD_CLIENT_NAME SHMD_EVENT=session-ended)" good
    assert_eq "$(values SHMD_CLIENT_NAME SHMD_EVENT=session-evicted)" idle
    assert_eq "$(values SHMD_CLIENT_UID SHMD_EVENT=session-refused | tr '\n' ' ')" '1000 1001 1000 '
    for event in started ended evicted refused; do
        assert_eq "$(values SHMD_CLIENT_VERIFIED "SHMD_EVENT=session-$event" | sort -u)" yes
        assert_contains "$(journalctl --since="@$since" -x "SHMD_EVENT=session-$event")" 'Subject: '
    done
}

# P3: two users at full speed, and the journal accounts for each record that each has acknowledged.
test_accounting() {
    local user
    configure "$ring"
    systemctl start shmd.socket
    spawn_follower alice alice
    spawn_follower bob bob
    wait_until 'acknowledged_more_than 20000'
    end_followers
    systemctl stop shmd.service 2>/dev/null
    for user in alice bob; do
        assert_eq "$(sum SHMD_RECORDS "SHMD_CLIENT_USER=$user")" "$(got "$user")" "records of $user"
        assert_eq "$(sum SHMD_BYTES "SHMD_CLIENT_USER=$user")" "$((26 * $(got "$user")))" \
            "bytes of $user"
        diagnose "$user: $(got "$user") records, $(count_entries "SHMD_CLIENT_USER=$user") entries"
    done
    assert_eq "$(values SHMD_ACK_SEQ SHMD_EVENT=acknowledged | sort -n | uniq -d)" '' 'numbers twice'
    assert_eq "$(values SHMD_ACK_SEQ SHMD_EVENT=acknowledged | sort -n | tail -n 1)" \
        "$(count_entries SHMD_EVENT=acknowledged)" 'gaps'
}

audit() {
    journalctl --sync
    shm-client audit --since="@$since" "$@"
}

# P3, as an administrator sees it: the audit says what the clients themselves say.
test_audit() {
    local user
    configure "$ring"
    systemctl start shmd.socket
    spawn_follower alice alice
    spawn_follower bob bob
    peer_as bob hello=short take=3 >/dev/null
    wait_until 'acknowledged_more_than 1000'
    end_followers
    systemctl stop shmd.service 2>/dev/null
    assert_exit 0 audit
    assert_contains "$output" "instance shmd, epoch $(values SHMD_EPOCH SHMD_EVENT=acknowledged | sort -u)" \
        "entries:       $(count_entries SHMD_EVENT=acknowledged), numbers 1-" \
        "user alice (uid 1000): 1 session, $(got alice) records, $((26 * $(got alice))) bytes" \
        "user bob (uid 1001): 2 sessions, $(($(got bob) + 3)) records, "
    assert_eq "$(tail -n 1 <<<"$output")" whole
    diagnose "$(grep '^user alice' <<<"$output")"
}

# Anybody may send any field to the journal; what the journal says of the sender is true.
test_audit_finds_forged_entries() {
    configure "$ring"
    systemctl start shmd.socket
    peer_as bob hello=bob take=3 >/dev/null
    systemctl stop shmd.service 2>/dev/null
    as alice perl -MSocket -e '
        socket(S, AF_UNIX, SOCK_DGRAM, 0) or die;
        send(S, join("", map { "$_\n" } @ARGV), 0, sockaddr_un("/run/systemd/journal/socket")) or die
    ' "SHMD_EPOCH=$(values SHMD_EPOCH SHMD_EVENT=acknowledged | sort -u)" SHMD_EVENT=acknowledged \
        SYSLOG_IDENTIFIER=shmd SHMD_INSTANCE=shmd SHMD_ACK_SEQ=77 SHMD_RECORD_FIRST=4 SHMD_RECORDS=1 \
        SHMD_RECORD_LAST=4 SHMD_BYTES=26 SHMD_CLIENT_VERIFIED=yes SHMD_CLIENT_UID=1001 \
        SHMD_CLIENT_USER=bob _UID="$(id -u shmd)"
    wait_for_entries 1 SHMD_ACK_SEQ=77
    assert_exit 6 audit
    assert_contains "$output" $'\nuser bob (uid 1001): 1 session, 3 records, 78 bytes\n' \
        $'\nforeign: entry from uid 1000, pid '
    assert_eq "$(tail -n 1 <<<"$output")" \
        'whole, and 1 foreign entry that claims to be ours (by uid 1000)'
}

# Who may not read the journal is told so, and not that all is well.
test_audit_needs_permission() {
    systemctl start shmd.socket
    peer_as bob hello=bob take=1 >/dev/null
    assert_exit 1 as alice shm-client audit
    assert_contains "$output" 'shm-client: cannot read all of the journal: no permission'
    assert_exit 0 setpriv --reuid=alice --regid=alice --groups=systemd-journal shm-client audit \
        --since="@$since"
}

# The report and the line in `systemctl status` say the same, and it is so.
test_status() {
    local report line field
    configure "$ring" 'lease_ms = 86400000;'
    systemctl start shmd.socket
    peer_as alice hello=me take=7 crowd=3 await="$TEST_DIR/enough" >"$TEST_DIR/crowd" &
    wait_until 'grep -q "a crowd" "$TEST_DIR/crowd"'
    # The line is brought up to date every few seconds.
    wait_until '[[ $(systemctl show --property=StatusText --value shmd) == *" 4 subscribers"* ]]'
    report=$(peer status)
    line=$(systemctl show --property=StatusText --value shmd)
    diagnose "$line"
    field() { sed -nE "s/.*\"$1\":\"?([^\",]*).*\"sessions\":.*/\1/p" <<<"$report"; }
    assert_contains "$line" "$(field layout), key $(field key), segment $(field segment), epoch $(
        field epoch): $(field records) records, $(field acknowledged) acknowledged, $(
        field rejected) rejected, $(field subscribers) subscribers"
    assert_eq "$(field segment)" "$(segment_id)"
    wait_until "((\$(count_records) == $(field acknowledged)))"
    assert_eq "$(field epoch)" "$(values SHMD_EPOCH SHMD_EVENT=acknowledged | sort -u)"
    assert_contains "$(systemctl status shmd)" "Status: \"$line\""
}

# The names in the configuration are looked up from inside the sandbox, too.
test_groups_by_name() {
    groupadd --force readers
    configure "$ring" 'allow = { subscribe = "@readers"; };'
    systemctl start shmd.socket
    assert_contains "$(peer_as bob hello=me)" 'refused EPERM'
    gpasswd --add bob readers
    assert_contains "$(peer_as bob hello=me)" welcome
    gpasswd --delete bob readers
    assert_contains "$(peer_as alice hello=me)" 'refused EPERM'
}

# As many sessions as the default allows: the unit gives it the descriptors for them.
test_as_many_sessions_as_configured() {
    local crowd
    configure "$ring" 'lease_ms = 86400000;'
    systemctl start shmd.socket
    for crowd in one two; do
        peer hello=first crowd=127 await="$TEST_DIR/enough" >"$TEST_DIR/$crowd" &
        wait_until 'grep -q "a crowd" "$TEST_DIR/$crowd"'
    done
    assert_eq "$(cat "$TEST_DIR"/{one,two} | grep -c ^welcome)" 256 'sessions'
    assert_contains "$(peer answer)" 'too many sessions'
    touch "$TEST_DIR/enough"
    wait
}

# SIGKILL: the subscribers of two users go on by themselves, in the same segment.
test_kill() {
    local id pid
    configure "$ring"
    systemctl start shmd.socket
    spawn_follower alice one
    spawn_follower bob two
    id=$(segment_id)
    for _ in 1 2 3; do
        sleep 0.5
        pid=$(main_pid)
        kill -KILL "$pid"
        wait_until "[[ \$(main_pid) != $pid && \$(systemctl is-active shmd) == active ]]"
        wait_until '[[ $(peer status) == *"\"subscribers\":2,"* ]]'
    done
    end_followers
    assert_eq "$(segment_id)" "$id" 'segment'
    assert_eq "$(cat "$TEST_DIR"/{one,two}.out | grep -c ^segment)" 2 'segments seen'
    assert_eq "$(values SHMD_EPOCH SYSLOG_IDENTIFIER=shmd | sort -u | wc -l)" 1 'epochs'
    diagnose "$(tail -qn 1 "$TEST_DIR"/{one,two}.out | tr '\n' ';')"
}

# A configuration that is refused: the client is not left hanging, there is no second attempt, and
# once it is mended, one command brings both back. (bare.sh has all ways to fail.)
test_bad_configuration() {
    configure 'size = 1;'
    systemctl start shmd.socket
    assert_contains "$(timeout "$PATIENCE_S" /shmd/programs/peer "$socket" hello=me 2>&1 || true)" closed
    wait_until '[[ $(systemctl is-active shmd.socket) == inactive ]]'
    assert_failed_with 78
    assert_eq "$(count_entries SHMD_EVENT=configuration-refused)" 1 'attempts'
    configure "$ring"
    systemctl start shmd.service
    assert_contains "$(peer_as alice hello=me take=1)" 'took 1 records'
}

# Instances have a socket each.
test_template_instance() {
    mkdir -p /etc/shmd
    echo 'key = 6000; layout = "ring"; size = 8192;' >/etc/shmd/second.conf
    systemctl start shmd.socket shmd@second.socket
    assert_contains "$(PEER_SOCKET=/run/shmd/second.sock peer_as alice hello=me take=2)" \
        'key 0x00001770' 'took 2 records'
    assert_contains "$(peer_as alice hello=me take=2)" 'key 0x0000162e' 'took 2 records'
    wait_until '(($(count_records) == 4))'
    assert_eq "$(values SHMD_KEY SHMD_INSTANCE=second SHMD_EVENT=acknowledged | sort -u)" 0x00001770
    assert_eq "$(values _SYSTEMD_UNIT SHMD_INSTANCE=second | sort -u)" shmd@second.service
    systemctl stop shmd@second.socket
    assert_eq "$(systemctl is-active shmd@second.service || true)" inactive
    assert_contains "$(peer_as bob hello=me take=1)" 'took 1 records'
}

# The default configuration, where anybody may write: an anonymous client beside a subscriber.
test_anonymous_beside_a_subscriber() {
    systemctl start shmd.socket
    spawn_follower alice slow 300000
    segment_write 5678 0 '*'
    wait_until '(($(count_entries SHMD_CLIENT_VERIFIED=no SHMD_EVENT=acknowledged) > 0))'
    wait_until '(($(count_entries SHMD_CLIENT_USER=alice SHMD_EVENT=acknowledged) > 2))'
    end_followers
}

test_verify_is_silent() {
    assert_eq "$(systemd-analyze verify --man=no shmd.socket shmd@second.socket shmd.service \
        shmd@second.service 2>&1 | grep -i shmd)" ''
}

test_exposure() {
    local unit
    for unit in shmd.service shmd@second.service; do
        diagnose "$(systemd-analyze security "$unit" --no-pager | tail -n 1)"
        systemd-analyze security "$unit" --no-pager --threshold=5 >"$TEST_DIR/security" ||
            fail "$(grep -E ' 0\.[0-9]+ *$' "$TEST_DIR/security")"
    done
}

if [[ -z ${SHMD_TEST_CASE:-} ]]; then
    prepare_machine >&2
fi
run_tests "$@"
