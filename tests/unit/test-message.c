/* SPDX-License-Identifier: MIT
 *
 * Messages: what is one, and what is not.
 */
#include "proto/message.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct message_hello hello(void)
{
    return (struct message_hello){.head =
                                      message_head(MESSAGE_HELLO, sizeof(struct message_hello))};
}

static bool is_hello(const struct message_hello *message, size_t length)
{
    return message_is(message, length, MESSAGE_HELLO, sizeof(*message));
}

static void a_message_is_one(void **state)
{
    struct message_hello message = hello();

    (void)state;
    assert_true(is_hello(&message, sizeof(message)));
}

static void a_message_of_another_length_is_none(void **state)
{
    char buffer[2 * sizeof(struct message_hello)] = {0};
    struct message_hello message = hello();

    (void)state;
    memcpy(buffer, &message, sizeof(message));
    for (size_t length = 0; length <= sizeof(buffer); length++) {
        message.head.size = (uint32_t)length; /* even if it says so */
        memcpy(buffer, &message, sizeof(message));
        assert_int_equal(is_hello((const struct message_hello *)(const void *)buffer, length),
                         length == sizeof(message));
    }
}

static void what_it_says_of_its_size_must_be_so(void **state)
{
    struct message_hello message = hello();

    (void)state;
    message.head.size++;
    assert_false(is_hello(&message, sizeof(message)));
    message.head.size = 0;
    assert_false(is_hello(&message, sizeof(message)));
}

static void another_magic_version_or_type_is_none(void **state)
{
    struct message_hello message = hello();

    (void)state;
    message.head.magic ^= 1;
    assert_false(is_hello(&message, sizeof(message)));
    message = hello();
    message.head.version++;
    assert_false(is_hello(&message, sizeof(message)));
    message = hello();
    message.head.type = MESSAGE_STATUS;
    assert_false(is_hello(&message, sizeof(message)));
}

TEST_GROUP("test-message")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_one),
        cmocka_unit_test(a_message_of_another_length_is_none),
        cmocka_unit_test(what_it_says_of_its_size_must_be_so),
        cmocka_unit_test(another_magic_version_or_type_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
