#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh PROGRAM [GROUP[/CASE]…]: runs a program of unit tests, and makes one stream of TAP of what
# its groups say: each case is GROUP/CASE. A group that ends before all of its cases were run has
# failed, however it ended. Of a test that was skipped, cmocka 1.1.5 says "not ok 7 # SKIP".
set -euo pipefail

export CMOCKA_MESSAGE_OUTPUT=TAP

"$@" | awk '
    function result(verdict, what) {
        print verdict, ++count, "- " group what
        fflush()
    }
    /^## [^ ]+$/ { group = $2; planned = run = 0; next }
    /^## / {
        if (run < planned)
            result("not ok", ": only " run " of " planned " cases were run")
        print "# " group ": " $3, $4
        next
    }
    /^1\.\.0 # SKIP / { sub(/^1\.\.0/, ""); result("ok", $0); next }
    /^1\.\.[0-9]+$/ { planned = substr($0, 4) + 0; next }
    /^not ok - / { sub(/^not ok - /, ""); result("not ok", ": " $0); next }
    /^not ok [0-9]+ # SKIP / { run++; result("ok", "/" $6 " # SKIP"); next }
    /^not ok [0-9]+ - / { run++; sub(/^not ok [0-9]+ - /, ""); result("not ok", "/" $0); next }
    /^ok [0-9]+ - / { run++; sub(/^ok [0-9]+ - /, ""); result("ok", "/" $0); next }
    { print; fflush() }
    END { print "1.." count + 0 }'
