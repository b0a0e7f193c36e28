/* SPDX-License-Identifier: MIT
 *
 * Memory that is mapped is memory whose size nobody can change any more.
 */
#include "base/sealed.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SIZE ((size_t)8192)

/* A memfd of that size with these seals; the caller's to close. */
static int memory_new(int seals)
{
    int fd = memfd_create("unit", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)SIZE), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void what_is_made_is_shared_and_cannot_change(void **state)
{
    void *ours = NULL, *theirs = NULL;
    int fd = -1;

    (void)state;
    assert_int_equal(sealed_new("unit", SIZE, &fd, &ours), 0);
    assert_int_equal(sealed_map(fd, SIZE, &theirs), 0);
    strcpy(ours, "shared");
    assert_string_equal(theirs, "shared");
    assert_int_equal(sealed_size(fd), SIZE);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, 2 * SIZE), -1);
    assert_int_equal(munmap(ours, SIZE), 0);
    assert_int_equal(munmap(theirs, SIZE), 0);
    (void)fd_close(fd);
}

/* Cut, it would be SIGBUS for whoever reads on. */
static void what_can_still_change_is_refused(void **state)
{
    static const int seals[] = {0, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_GROW | F_SEAL_SEAL};

    (void)state;
    for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++) {
        void *memory = NULL;
        int fd = memory_new(seals[i]);

        assert_int_equal(sealed_map(fd, SIZE, &memory), -EINVAL);
        assert_null(memory);
        (void)fd_close(fd);
    }
}

static void another_size_is_refused(void **state)
{
    void *memory = NULL;
    int fd = memory_new(F_SEAL_SHRINK | F_SEAL_GROW);

    (void)state;
    assert_int_equal(sealed_map(fd, SIZE / 2, &memory), -EINVAL);
    assert_int_equal(sealed_map(fd, 2 * SIZE, &memory), -EINVAL);
    assert_null(memory);
    (void)fd_close(fd);
}

static void what_is_no_memory_is_refused(void **state)
{
    void *memory = NULL;
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)state;
    assert_int_equal(sealed_map(fd, 0, &memory), -EINVAL);
    assert_int_equal(sealed_map(-1, SIZE, &memory), -EINVAL);
    assert_int_equal(sealed_size(-1), 0);
    (void)fd_close(fd);
}

TEST_GROUP("test-sealed")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_made_is_shared_and_cannot_change),
        cmocka_unit_test(what_can_still_change_is_refused),
        cmocka_unit_test(another_size_is_refused),
        cmocka_unit_test(what_is_no_memory_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
