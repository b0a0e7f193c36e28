/* SPDX-License-Identifier: MIT
 *
 * Users and groups by name or number; and that a shortage is no answer.
 */
#include "base/account.h"
#include "base/shortage.h"

#include "private.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

static void a_name_or_a_number(void **state)
{
    uid_t uid = 1;
    gid_t gid = 1;

    (void)state;
    assert_int_equal(account_user("root", &uid), 0);
    assert_int_equal(uid, 0);
    assert_int_equal(account_group("root", &gid), 0);
    assert_int_equal(gid, 0);
    assert_int_equal(account_user("4000000001", &uid), 0); /* nobody's: a number needs no entry */
    assert_int_equal(uid, 4000000001);
    assert_int_equal(account_group("4000000002", &gid), 0);
    assert_int_equal(gid, 4000000002);
}

static void nobody_of_that_name(void **state)
{
    static const char *const names[] = {"", "no-such-name", "-1", "4294967295", "0x", "1 "};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        uid_t uid = 7;
        gid_t gid = 7;

        assert_int_equal(account_user(names[i], &uid), -ENOENT);
        assert_int_equal(account_group(names[i], &gid), -ENOENT);
        assert_int_equal(uid, 7); /* written on success only */
        assert_int_equal(gid, 7);
    }
}

/* Once, a daemon that had no descriptor left took its configuration for wrong, and was not started
 * again. */
static void that_a_name_cannot_be_looked_up_does_not_mean_that_there_is_none(void **state)
{
    struct rlimit limit, none;
    uid_t uid;
    gid_t gid;
    int user, group;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3; /* the standard ones */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    user = account_user("root", &uid);
    group = account_group("root", &gid);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(is_shortage(user));
    assert_true(is_shortage(group));
}

static void shortages_pass_and_refusals_do_not(void **state)
{
    static const int pass[] = {-EAGAIN,  -EDQUOT, -EIO,    -EMFILE, -ENFILE,
                               -ENOBUFS, -ENOLCK, -ENOMEM, -ENOSPC, -ETOOMANYREFS};
    static const int stay[] = {0,      1,       -EACCES,  -EINVAL, -ENOENT, -EPERM,        -EEXIST,
                               ENOMEM, -EISDIR, -ENOTDIR, -ELOOP,  -EROFS,  -ENAMETOOLONG, -EFBIG};

    (void)state;
    for (size_t i = 0; i < sizeof(pass) / sizeof(pass[0]); i++) {
        assert_true(is_shortage(pass[i]));
    }
    for (size_t i = 0; i < sizeof(stay) / sizeof(stay[0]); i++) {
        assert_false(is_shortage(stay[i]));
    }
}

/* Whose limit it is, in as many bytes as a refusal has room for. */
static void a_limit_is_named(void **state)
{
    (void)state;
    assert_non_null(strstr(error_text(-EAGAIN), "TasksMax="));
    assert_non_null(strstr(error_text(-EMFILE), "LimitNOFILE="));
    assert_non_null(strstr(error_text(-ENFILE), "fs.file-max"));
    assert_non_null(strstr(error_text(-ETOOMANYREFS), "in flight"));
    assert_true(strlen(error_text(-ETOOMANYREFS)) < 108);
    assert_string_equal(error_text(-ENOENT), strerror(ENOENT));
}

static bool is_denied_as(void *userdata)
{
    return strcmp(error_text(-EACCES), userdata) == 0 && strstr(error_text(-EPERM), " for ");
}

/* To whom: a daemon does not run as the one who reads of it. */
static void who_is_denied_is_named(void **state)
{
    char named[] = "Permission denied for user nobody";
    char nameless[] = "Permission denied for uid 4000000003";

    (void)state;
    SKIP_UNLESS_ROOT();
    assert_int_equal(check_as(PRIVATE_NOBODY, is_denied_as, named), 0);
    assert_int_equal(check_as(4000000003, is_denied_as, nameless), 0);
}

TEST_GROUP("test-account")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(that_a_name_cannot_be_looked_up_does_not_mean_that_there_is_none),
        cmocka_unit_test(a_name_or_a_number),
        cmocka_unit_test(nobody_of_that_name),
        cmocka_unit_test(shortages_pass_and_refusals_do_not),
        cmocka_unit_test(a_limit_is_named),
        cmocka_unit_test(who_is_denied_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
