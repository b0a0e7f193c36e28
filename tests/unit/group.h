/* SPDX-License-Identifier: MIT
 *
 * A group of unit tests is what one file has, test-NAME.c. Several groups make up a program, one
 * for each layer; main.c runs each of them in a process of its own, with which it may do what it
 * likes.
 *
 *     TEST_GROUP("test-NAME")
 *     {
 *         … return cmocka_run_group_tests(…);
 *     }
 */
#pragma once

struct test_group {
    const char *name;
    int (*run)(void); /* returns how many cases failed */
    struct test_group *next;
};

/* Before main(), by TEST_GROUP(). */
void test_group_add(struct test_group *group);

#define TEST_GROUP(title)                                                                          \
    static int test_group_run(void);                                                               \
    __attribute__((constructor)) static void test_group_register(void)                             \
    {                                                                                              \
        static struct test_group group = {.name = title, .run = test_group_run};                   \
                                                                                                   \
        test_group_add(&group);                                                                    \
    }                                                                                              \
    static int test_group_run(void)
