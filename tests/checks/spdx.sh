#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Each source file says its licence in one of its first lines.
set -euo pipefail
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
. "$top_srcdir/tests/tap.sh"

test_every_source_file_says_its_licence() {
    local file missing=''
    while IFS= read -r file; do
        head -n 5 "$file" | grep -q 'SPDX-License-Identifier: MIT' || missing+="$file "
    done < <(cd "$top_srcdir" && find src tests scripts systemd man conf bootstrap configure.ac \
        Makefile.am .ci -type f ! -name '*.log' ! -name '*.trs' ! -name '*.o' ! -name '*.lo' \
        ! -path '*/.deps/*' ! -path '*/.libs/*' ! -name .dirstamp -printf "$top_srcdir/%p\n" |
        while IFS= read -r path; do grep -Iq . "$path" && echo "$path"; done)
    assert_eq "$missing" '' 'files without the line'
}

run_tests "$@"
