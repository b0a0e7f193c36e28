# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Looking at segments, and writing into them, as any program may that has the permission.

# The key of the default configuration, and what its records look like.
# shellcheck disable=SC2034
letters=abcdefghijklmnopqrstuvwxyz
key=5678

# segment_field KEY FIELD: a field of the kernel's table, by the name that stands over its column:
# shmid, perms (octal), size, cpid, lpid, nattch, uid, gid, cuid, …; empty if there is no segment
segment_field() {
    awk -v key="$1" -v field="$2" '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
        $column["key"] == key { print $column[field] }' /proc/sysvipc/shm
}

segment_id() {
    segment_field "${1:-$key}" shmid
}

count_segments() {
    awk 'END { print NR - 1 }' /proc/sysvipc/shm
}

# segment_read [KEY]: the segment's bytes, NULs as dots
segment_read() {
    perl -e 'my ($id, $size) = @ARGV; shmread($id, $bytes, 0, $size) or die "shmread: $!\n";
             print $bytes =~ s/\0/./gr' "$(segment_id "${1:-$key}")" \
        "$(segment_field "${1:-$key}" size)"
}

# segment_write KEY OFFSET TEXT
segment_write() {
    perl -e 'my ($id, $offset, $text) = @ARGV;
             shmwrite($id, $text, $offset, length $text) or die "shmwrite: $!\n"' \
        "$(segment_id "$1")" "$2" "$3"
}

# Acknowledges as any program may that can write: '*' at byte 0.
acknowledge() {
    segment_write "${1:-$key}" 0 '*'
}
