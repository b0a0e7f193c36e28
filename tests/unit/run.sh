#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs a program of unit tests. Of a test that was skipped, cmocka 1.1.5 says "not ok 7 # SKIP",
# which is a failure to Automake's TAP driver.
set -euo pipefail

"$@" | sed -u -e 's/^not ok \([0-9]* # SKIP\)/ok \1/'
