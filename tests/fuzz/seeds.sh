#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Writes the seeds of the targets whose input is a script of bytes: seeds.sh DIRECTORY makes
# DIRECTORY/TARGET/NAME. Each is what a good client or daemon does, or one bad thing in the midst
# of it; from there, libFuzzer goes on. The numbers of the steps are those in TARGET.c; a number of
# several bytes has its low one first.
set -euo pipefail

directory=$1

# seed TARGET/NAME BYTE…: two hexadecimal digits each
seed() {
    local file=$directory/$1 bytes
    shift
    printf -v bytes '\\x%s' "$@"
    mkdir -p "${file%/*}"
    printf '%b' "$bytes" >"$file"
}

# --- adopt: 0 publish (fastest, length), 1 release, 2 restart, 3 header, 4 data, 5 state ---

publish=(00 00 40 00 00 00 41 03)
seed adopt/wait 00 "${publish[@]}" 01 00 02 "${publish[@]}" 01 01
seed adopt/overwrite 01 "${publish[@]}" "${publish[@]}" "${publish[@]}" 02 "${publish[@]}"
seed adopt/tail-behind-the-end 00 "${publish[@]}" 03 00 10 00 c0 ff ff ff ff ff ff ff 02
seed adopt/tail-between-lines 00 "${publish[@]}" 03 01 10 00 01 02
seed adopt/head-moved 00 "${publish[@]}" 03 01 18 00 40 02 "${publish[@]}"
seed adopt/head-near-the-last-number 00 "${publish[@]:4}" 03 00 10 00 00 ff ff ff ff ff ff ff \
    03 00 18 00 c0 ff ff ff ff ff ff ff "${publish[@]:4}"
seed adopt/wrap-marker 00 "${publish[@]}" 04 00 00 00 ff ff ff ff ff ff ff ff 02
seed adopt/number-changed 00 "${publish[@]}" 04 01 00 00 01 02 "${publish[@]}"
seed adopt/length-changed 00 "${publish[@]}" 04 00 01 00 ff ff ff ff 00 00 00 00 02
seed adopt/state-one-behind 00 "${publish[@]}" 05 01 00 00 fc 02 "${publish[@]}"
seed adopt/another-epoch 00 "${publish[@]}" 05 01 03 00 01 02 "${publish[@]}"
seed adopt/another-segment 00 "${publish[@]}" 05 01 02 00 01 02 "${publish[@]}"

# --- follow: 0 publish (length), 1 take, 2 header, 3 data, 4 skip, 5 length, 6 format, 7 start ---

publish=(00 40 00 00 41 03)
seed follow/take 00 40 00 01 00 00 00 01 01 05 04
seed follow/overtaken "${publish[@]}" 01 "${publish[@]}" "${publish[@]}" "${publish[@]}" 01 01
seed follow/another-ring "${publish[@]}" 01 06 01 07 01 "${publish[@]}" 01
seed follow/tail-behind-the-end "${publish[@]}" 02 00 10 00 c0 ff ff ff ff ff ff ff 01 04 05
seed follow/wrap-marker "${publish[@]}" 03 00 00 00 ff ff ff ff ff ff ff ff 01 05
seed follow/length-changed "${publish[@]}" 03 00 01 00 ff ff ff ff 00 00 00 00 01 05 04
seed follow/magic-gone 02 00 00 00 00 00 00 00 00 00 00 00 07 01

# --- messages: 0 connect, 1 hello, 2 status, 3 say, 4 attach, 5 hang up, 6 owner, 7 leave ---

seed messages/subscribe 01 00 00 00 02 00 00 07 00
seed messages/all-come 01 00 00 00 01 01 00 00 01 02 00 00 01 03 00 00 01 04 00 00
seed messages/second-hello 01 00 00 00 01 00 00 00
seed messages/status-again 02 00 00 02 00 00 02 00 00 01 00 00 00
seed messages/hello-too-short 01 00 00 ff
seed messages/hello-too-long 01 00 00 01
seed messages/hello-of-another-version 01 00 01 01 00 00 01 00
seed messages/hello-of-another-role 01 00 01 01 02 00 01 00
seed messages/status-of-another-type 02 00 01 01 00 00 01
seed messages/empty 03 00 00
seed messages/status-by-hand 03 00 10 73 68 6d 64 01 00 04 00 10 00 00 00 00 00 00 00
seed messages/with-a-descriptor 04 00 00 00
seed messages/hang-up 01 00 00 00 05 00
seed messages/the-owner-refuses 06 00 01 01 00 00 00

# --- page: lossy, published, first; 0 publish, 1 and 2 acknowledge, 3 and 4 lose, 5 scribble,
# --- 6 hand over, 7 wake ---

seed page/acknowledge 00 05 00 01 02 00 07 06 01 0a
seed page/lose 01 05 00 03 02 01 04 06 00 09 03 01 01 03
seed page/backwards 00 05 02 01 02 01 ff
seed page/beyond 00 05 00 01 06
seed page/far-beyond 01 05 00 02 ff ff ff ff ff ff ff ff
seed page/loses-more-than-there-is 01 05 00 04 ff ff ff ff ff ff ff ff 01 03
seed page/loses-in-a-wait 00 05 00 03 02 01 03
seed page/in-our-lines 00 05 00 05 02 00 00 04 ff ff ff ff 01 02 07

# --- queue: 0 hand in (length), 1 take, 2 leave out (length), 3 header, 4 data, 5 resume ---

seed queue/take 00 40 00 00 00 00 01 01 01
seed queue/around 00 41 03 00 41 03 01 00 41 03 01 00 41 03 01 05 00 41 03 01 01 01
seed queue/left-out 00 40 00 02 00 10 00 00 00 00 00 00 01 01 01
seed queue/number-changed 00 40 00 04 01 00 00 01 01 01
seed queue/length-changed 00 40 00 04 00 01 00 ff ff ff ff 00 00 00 00 01 01
seed queue/wrap-marker 00 40 00 04 00 00 00 ff ff ff ff ff ff ff ff 01 01
seed queue/header-gone 03 00 00 00 00 00 00 00 00 00 00 00 00 40 00 01

# --- reload: layout, size (2), source, frame (2); 0 reload (the same), 1 subscribe, 2 take,
# --- 3 acknowledge, 4 leave, 5 sleep, 6 '*', 7 publisher, 8 hand in, 9 no publisher, 0a file,
# --- 0b FIFO (part, raw, length), 0c no writer, 0d remove, 0e tick, 0f poll, 10 leases, 11 retry,
# --- 12 status, 13 events; a length is one of a table, and a little more or less. No seed has
# --- another segment and another source in the same reload: that is left to be found.

plain=(08 03 00) large=(08 09 00) ring=(01 07 00) overwrite=(05 07 00)
alphabet=(00 00 00) pattern=(01 06 00) file=(02 00 00) watched=(0c 00 00) push=(04 00 00)
lines=(03 00 00) fixed=(12 04 00) lengths=(21 00 00)
read=(02 f0 03 00 04) # all that there is
seed reload/sources 08 03 00 00 00 00 01 00 02 00 03 00 04 00 "${plain[@]}" "${pattern[@]}" \
    02 00 03 00 04 0a 00 04 00 00 "${plain[@]}" "${file[@]}" 02 00 03 00 04 06 0f 02 00
seed reload/sizes "${plain[@]}" "${alphabet[@]}" 01 00 02 00 05 00 00 "${large[@]}" "${alphabet[@]}" \
    01 00 02 00 03 00 04 00 08 00 00 "${alphabet[@]}" 01 00 02 00 03 00 04
seed reload/layouts "${ring[@]}" "${pattern[@]}" 01 00 "${read[@]}" 00 "${large[@]}" "${pattern[@]}" \
    01 00 "${read[@]}" 00 "${overwrite[@]}" "${pattern[@]}" 01 00 "${read[@]}" "${read[@]}" 01 01 \
    "${read[@]}" "${read[@]}" "${read[@]}" 02 f1 03 01 04
seed reload/file "${large[@]}" "${file[@]}" 0a 00 0f 00 01 00 02 00 0a 01 0f 01 11 03 00 04 02 00 \
    0a 00 0f ff 11 11 02 00 03 00 04 0a 00 00 00 11 0a 07 00 00 11 0a 00 04 00 11 02 00
seed reload/watched "${ring[@]}" "${watched[@]}" 0a 01 04 00 01 00 "${read[@]}" 05 00 0a 01 05 00 \
    "${read[@]}" 0a 00 06 00 "${read[@]}" 01 01 02 01
seed reload/file-in-parts 08 0f 00 02 00 00 0a 06 00 00 01 00 83 00 04 13 01 0a 07 00 00 11 11 02 00
seed reload/lines "${ring[@]}" "${lines[@]}" 01 00 0b 00 00 04 00 0b 00 00 06 00 0b 80 00 05 00 \
    "${read[@]}" 0b 00 00 00 00 0c "${read[@]}" 0b 80 00 05 00 0c "${read[@]}" 0b 00 00 0f 01 \
    0b 00 00 0f 00 "${read[@]}"
seed reload/fixed "${large[@]}" "${fixed[@]}" 01 00 0b 00 00 00 00 0b 40 00 00 00 02 00 03 00 04 \
    00 "${large[@]}" "${alphabet[@]}" 02 00 03 00 04 0b 00 00 00 00 02 00
seed reload/lengths 01 0e 00 "${lengths[@]}" 01 00 0b 00 00 0c 00 0b 80 00 0d 00 0b 00 00 00 00 \
    "${read[@]}" 0b 20 00 0d 00 00 01 0e 00 "${alphabet[@]}" 0c "${read[@]}"
seed reload/push "${ring[@]}" "${push[@]}" 01 00 07 00 07 01 08 00 04 00 08 01 0f 00 08 00 0f 01 \
    08 01 00 00 "${read[@]}" 88 00 04 00 09 00 "${read[@]}" 00 "${ring[@]}" "${alphabet[@]}" \
    08 01 04 00 "${read[@]}"
seed reload/removed "${plain[@]}" "${alphabet[@]}" 01 00 02 00 05 00 0d 0e 01 00 02 00 03 00 04 8d \
    00 "${large[@]}" "${alphabet[@]}" 0e 01 00 02 00 12
seed reload/liars "${ring[@]}" "${pattern[@]}" 01 00 01 01 02 30 03 00 02 02 31 03 01 03 01 00 01 01 \
    03 00 01 10 01 00 "${read[@]}" 10
seed reload/another-key "${ring[@]}" "${pattern[@]}" 01 00 02 20 00 03 07 00 "${pattern[@]}" 01 00 \
    "${read[@]}" 00 0a 03 00 "${pattern[@]}" 01 00 02 00 06 02 00
# Longer than libFuzzer would make one soon.
seed reload/long "${ring[@]}" "${pattern[@]}" 01 00 01 01 "${read[@]}" 02 f1 03 01 04 05 00 \
    00 "${ring[@]}" "${lines[@]}" 0b 00 00 04 00 0b 00 00 06 00 0b 80 00 05 00 "${read[@]}" 0c \
    "${read[@]}" 00 "${ring[@]}" "${push[@]}" 07 00 07 01 08 00 04 00 08 01 06 00 "${read[@]}" \
    88 00 05 00 88 01 05 00 00 "${ring[@]}" "${file[@]}" "${read[@]}" 09 00 0a 00 05 00 11 \
    "${read[@]}" 02 f1 03 01 04 00 "${overwrite[@]}" "${file[@]}" 01 00 "${read[@]}" 0a 01 03 00 \
    00 "${large[@]}" "${file[@]}" 01 00 01 01 02 00 03 00 04 06 02 01 03 01 04 0d 8a 00 04 00 0e \
    01 00 02 00 03 00 04 12 00 "${large[@]}" "${watched[@]}" 0f 06 02 00 00 "${large[@]}" \
    "${lengths[@]}" 0b 00 00 0a 00 0b 00 00 04 00 0b 40 00 05 00 06 06 06 00 "${large[@]}" \
    "${fixed[@]}" 0c 01 00 02 00 03 00 04 10 11

# --- state: patches; magic mended, cut, size; 0 push, 1 pop, 2 publish, 3 look, 4 acknowledge,
# --- 5 resize ---

use=(03 04 02 05 00 04 00 01 00 02 00 03 01 01 01 05 20 00 02 08 00 04 01 01 \
    00 01 00 00 01 00 00 01 00 00 01 00 00 01 00 00 02 00)
seed state/untouched 00 00 00 00 00 00 00 01 "${use[@]}"
seed state/another-size 00 00 00 00 00 00 01 20 00 01 "${use[@]}"
seed state/another-segment 00 00 00 00 00 00 00 00 "${use[@]}"
seed state/cut 00 01 00 10 00 00 00 00 "${use[@]}"
seed state/empty 00 01 00 00 00 00 00 00 "${use[@]}"
seed state/magic-gone 01 02 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 00 00 "${use[@]}"
for word in 03 08 09 0a 0b; do
    seed "state/word-$word" 01 02 00 "$word" 00 ff ff ff ff ff ff ff 7f 00 00 00 00 00 00 01 \
        "${use[@]}"
    seed "state/word-$word-moved" 01 02 01 "$word" 00 01 00 00 00 00 00 00 01 "${use[@]}"
done
filled=(02 00 03 00 1d 00 00 00 00 00 00 00)
seed state/filled 01 "${filled[@]}" 00 00 00 00 00 00 01 "${use[@]}"
seed state/filled-without-extent 02 "${filled[@]}" 02 00 09 00 00 00 00 00 00 00 00 00 \
    00 00 00 00 00 00 01 "${use[@]}"
seed state/queue-full 01 00 00 01 00 00 20 00 00 00 00 00 00 00 00 00 00 00 00 01 "${use[@]}"
seed state/queue-other-array 01 00 01 01 00 01 00 00 00 00 00 00 01 "${use[@]}"
