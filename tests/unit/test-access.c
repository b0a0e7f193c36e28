/* SPDX-License-Identifier: MIT
 *
 * Who may. Users and groups are those of this system that there are everywhere.
 */
#include "daemon/access.h"

#include "private.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define STRANGER ((uid_t)4000000001) /* nobody's number */
#define GROUP    ((gid_t)4000000002)

static const gid_t groups[] = {GROUP, 12345};

static bool allows(const char *list, uid_t uid, const gid_t *of, size_t count)
{
    CLEANUP(free_cleanup) struct access *access = NULL;
    const char *name;
    size_t length;

    assert_int_equal(access_resolve(list, &access, &name, &length), 0);
    return access_allows(access, uid, of, count);
}

static bool allowed(const char *list)
{
    return allows(list, STRANGER, groups, 2);
}

static void everybody(void **state)
{
    (void)state;
    assert_true(allowed("*"));
    assert_true(allowed("  \t* "));
    assert_true(allowed("1 * 2"));
}

static void nobody(void **state)
{
    (void)state;
    assert_false(allowed(""));
    assert_false(allowed(" \t "));
}

static void root_and_the_daemons_own_user_always(void **state)
{
    (void)state;
    assert_true(allows("", 0, NULL, 0));
    assert_true(allows("1", geteuid(), NULL, 0));
}

static void users_by_number_and_name(void **state)
{
    const struct passwd *entry = getpwuid(PRIVATE_NOBODY);

    (void)state;
    assert_true(allowed("4000000001"));
    assert_true(allowed("1 4000000001 2"));
    assert_false(allowed("400000000"));
    if (entry) {
        assert_true(allows(entry->pw_name, PRIVATE_NOBODY, NULL, 0));
        assert_false(allowed(entry->pw_name));
    }
}

static void members_of_groups(void **state)
{
    const struct group *entry = getgrgid(PRIVATE_NOBODY);

    (void)state;
    assert_true(allowed("@4000000002"));
    assert_true(allowed("@1 @12345"));
    assert_false(allowed("@4000000001")); /* a user's number is no group's */
    assert_false(allowed("4000000002"));
    assert_false(allows("@4000000002", STRANGER, groups, 0));
    if (entry) {
        gid_t gid = PRIVATE_NOBODY;
        CLEANUP(free_cleanup) char *list = NULL;

        assert_true(asprintf(&list, "@%s", entry->gr_name) > 0);
        assert_true(allows(list, STRANGER, &gid, 1));
        assert_false(allowed(list));
    }
}

static void assert_invalid(const char *list, const char *word)
{
    CLEANUP(free_cleanup) struct access *access = NULL;
    const char *name = NULL;
    size_t length = 0;

    assert_int_equal(access_resolve(list, &access, &name, &length), -ENOENT);
    assert_int_equal(length, strlen(word));
    assert_memory_equal(name, word, length);
}

static void a_list_names_who_is_known(void **state)
{
    char longest[200];

    (void)state;
    assert_false(allowed("0 @0 root 4294967294"));
    assert_invalid("root no-such-user *", "no-such-user");
    assert_invalid("@no-such-group", "@no-such-group");
    assert_invalid("@", "@");
    assert_invalid("@*", "@*");
    assert_invalid("**", "**");
    assert_invalid("4294967295", "4294967295"); /* (uid_t)-1 is nobody's */
    assert_invalid("-1", "-1");
    assert_invalid("40000000011", "40000000011");
    assert_invalid("4000000001x", "4000000001x");
    assert_invalid("root,daemon", "root,daemon");
    assert_invalid("root\ndaemon", "root\ndaemon");
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_invalid(longest, longest);
}

TEST_GROUP("test-access")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody),
        cmocka_unit_test(nobody),
        cmocka_unit_test(root_and_the_daemons_own_user_always),
        cmocka_unit_test(users_by_number_and_name),
        cmocka_unit_test(members_of_groups),
        cmocka_unit_test(a_list_names_who_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
