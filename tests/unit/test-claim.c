/* SPDX-License-Identifier: MIT
 *
 * The fields of an entry, from whomever: bounded, without control characters, and strict numbers.
 */
#include "client/claim.h"

#include "group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct claim claim;

static int set_up(void **state)
{
    (void)state;
    memset(&claim, 'x', sizeof(claim));
    claim_clear(&claim, 7);
    return 0;
}

#define ADD(literal) claim_add(&claim, literal, sizeof(literal) - 1)

static void test_fields(void **state)
{
    uint64_t number;

    (void)state;
    assert_int_equal(claim.usec, 7);
    assert_false(claim_has(&claim, CLAIM_EVENT));
    assert_false(claim_number(&claim, CLAIM_SEQUENCE, &number));
    ADD("MESSAGE=hello");
    ADD("SHMD_EVENT=acknowledged");
    ADD("SHMD_ACK_SEQ=42");
    ADD("_UID=994");
    assert_true(claim_is(&claim, CLAIM_EVENT, "acknowledged"));
    assert_true(claim_number(&claim, CLAIM_SEQUENCE, &number));
    assert_int_equal(number, 42);
    assert_true(claim_is(&claim, CLAIM_SENDER_UID, "994"));
}

/* A name is the whole name, and the first value counts. */
static void test_names(void **state)
{
    (void)state;
    ADD("SHMD_EVENT");
    ADD("SHMD_EVEN=a");
    ADD("SHMD_EVENTS=b");
    ADD("=c");
    ADD("");
    assert_false(claim_has(&claim, CLAIM_EVENT));
    ADD("SHMD_EVENT=d=e");
    ADD("SHMD_EVENT=f");
    assert_true(claim_is(&claim, CLAIM_EVENT, "d=e"));
}

/* No value drives a terminal, fakes a line, or is a number by being cut. */
static void test_hostile_values(void **state)
{
    char huge[1000] = "SHMD_ACK_SEQ=";
    uint64_t number;

    (void)state;
    ADD("SHMD_EVENT=");
    assert_true(claim_is(&claim, CLAIM_EVENT, "?"));
    ADD("SHMD_INSTANCE=a\nwhole\t\x1b[2J\x7f\0b");
    assert_true(claim_is(&claim, CLAIM_INSTANCE, "a?whole??[2J??b"));
    ADD("SHMD_SESSION=1\0");
    assert_false(claim_number(&claim, CLAIM_SESSION, &number));
    memset(huge + strlen(huge), '0', sizeof(huge) - strlen(huge));
    claim_add(&claim, huge, sizeof(huge));
    assert_int_equal(strlen(claim.values[CLAIM_SEQUENCE]), CLAIM_VALUE_SIZE - 1);
    assert_false(claim_number(&claim, CLAIM_SEQUENCE, &number));
}

TEST_GROUP("test-claim")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_fields, set_up),
        cmocka_unit_test_setup(test_names, set_up),
        cmocka_unit_test_setup(test_hostile_values, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
