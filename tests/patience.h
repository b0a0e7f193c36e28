/* SPDX-License-Identifier: MIT
 *
 * How long a test waits for what has to come. Generous on purpose: it says "broken", never "slow".
 * (In scripts: PATIENCE_S, tests/tap.sh.)
 */
#pragma once

#define PATIENCE_SEC  120
#define PATIENCE_MSEC 120000
#define PATIENCE_USEC UINT64_C(120000000)
