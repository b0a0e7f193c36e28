/* SPDX-License-Identifier: MIT
 *
 * Records out of a stream of bytes: the same ones, whatever pieces they come in.
 */
#include "source/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host.h"

#define LONG ((size_t)150000) /* longer than the buffer */

struct play {
    struct host *host;
    struct source source;
    struct frames frames;
    int pipe[2];
};

static struct play play_new(enum source_framing framing, uint64_t frame_size, size_t capacity)
{
    struct play play = {.host = host_new()};

    play.source.context = host_context(play.host, capacity);
    assert_int_equal(pipe2(play.pipe, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(frames_new(&play.frames, NULL, framing, frame_size), 0);
    return play;
}

static void play_free(struct play *play)
{
    frames_free(&play->frames);
    play->host = host_free(play->host);
    (void)fd_close(play->pipe[0]);
    (void)fd_close(play->pipe[1]);
}

/* All records that are there, until it would have to wait. */
static void drain(struct play *play)
{
    size_t length;
    ssize_t n = 1;

    play->frames.source = &play->source;
    while (n > 0) {
        while (frames_next(&play->frames, &length)) {
            source_deliver(&play->source, length);
        }
        n = frames_read(&play->frames, play->pipe[0], false);
    }
    assert_int_equal(n, -EAGAIN);
    host_move(play->host);
}

static void feed(struct play *play, const char *bytes, size_t length, size_t piece)
{
    for (size_t at = 0; at < length;) {
        size_t part = length - at < piece ? length - at : piece;
        ssize_t n = write(play->pipe[1], bytes + at, part);

        assert_true(n > 0);
        at += (size_t)n;
        drain(play);
    }
}

static bool finish(struct play *play, uint64_t *ret_dropped)
{
    size_t length;

    play->frames.source = &play->source;
    if (!frames_finish(&play->frames, &length, ret_dropped)) {
        return false;
    }
    source_deliver(&play->source, length);
    return true;
}

static void assert_records(const struct host *host, const char *const *records, unsigned count)
{
    assert_int_equal(host->delivered, count);
    for (unsigned i = 0; i < count; i++) {
        assert_string_equal(host->records[i], records[i]);
        assert_int_equal(host->lengths[i], strlen(records[i]));
    }
}

static const size_t pieces[] = {1, 2, 3, 7, 4096, 1 << 20};

#define FOR_EACH_PIECE(i) for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)

static void lines_are_records_without_their_newline(void **state)
{
    static const char bytes[] = "one\n\ntwo words\r\n*\nlast\nrest";
    static const char *const records[] = {"one", "", "two words\r", "*", "last", "rest"};

    (void)state;
    FOR_EACH_PIECE(i)
    {
        CLEANUP(play_free) struct play play = play_new(FRAMING_LINE, 0, 100);
        uint64_t dropped;

        feed(&play, bytes, sizeof(bytes) - 1, pieces[i]);
        assert_int_equal(frames_pending(&play.frames), 4);
        assert_true(finish(&play, &dropped));
        assert_records(play.host, records, 6);
        assert_int_equal(frames_pending(&play.frames), 0);
        assert_false(finish(&play, &dropped));
        assert_int_equal(dropped, 0);
    }
}

static void a_nul_is_a_byte_like_others(void **state)
{
    CLEANUP(play_free) struct play play = play_new(FRAMING_LINE, 0, 100);

    (void)state;
    feed(&play, "a\0b\n\0\n", 6, 1);
    assert_int_equal(play.host->delivered, 2);
    assert_int_equal(play.host->lengths[0], 3);
    assert_memory_equal(play.host->records[0], "a\0b", 3);
    assert_int_equal(play.host->lengths[1], 1);
    assert_memory_equal(play.host->records[1], "\0", 1);
}

static void fixed_frames_have_their_size(void **state)
{
    static const char *const records[] = {"abcd", "ef\ng", "hij*"};

    (void)state;
    FOR_EACH_PIECE(i)
    {
        CLEANUP(play_free) struct play play = play_new(FRAMING_FIXED, 4, 100);
        uint64_t dropped;

        feed(&play, "abcdef\nghij*kl", 14, pieces[i]);
        assert_records(play.host, records, 3);
        assert_false(finish(&play, &dropped));
        assert_int_equal(dropped, 2);
        assert_int_equal(frames_pending(&play.frames), 0);
    }
}

static void a_length_comes_before_the_record(void **state)
{
    static const char bytes[] = "\3\0\0\0abc\0\0\0\0\5\0\0\0de\nfg\2\0\0\0h";
    static const char *const records[] = {"abc", "", "de\nfg"};

    (void)state;
    FOR_EACH_PIECE(i)
    {
        CLEANUP(play_free) struct play play = play_new(FRAMING_LENGTH, 0, 100);
        uint64_t dropped;

        feed(&play, bytes, sizeof(bytes) - 1, pieces[i]);
        assert_records(play.host, records, 3);
        assert_false(finish(&play, &dropped));
        assert_int_equal(dropped, 5);
    }
}

static void all_that_comes_may_be_one_record(void **state)
{
    (void)state;
    for (size_t length = 0; length <= LONG; length += LONG / 2) {
        CLEANUP(play_free) struct play play = play_new(FRAMING_WHOLE, 0, HOST_ROOM);
        CLEANUP(free_cleanup) char *bytes = malloc(LONG);
        uint64_t dropped;

        assert_non_null(bytes);
        memset(bytes, '\n', LONG);
        feed(&play, bytes, length, 5000);
        assert_int_equal(play.host->delivered, 0);
        assert_int_equal(frames_pending(&play.frames), length);
        assert_true(finish(&play, &dropped));
        assert_int_equal(play.host->lengths[0], length);
        assert_memory_equal(play.host->records[0], bytes, length);
    }
}

/* A long record between two short ones, in each framing. */
static char *long_bytes(enum source_framing framing, size_t *ret_length)
{
    char *bytes = malloc(3 * LONG);
    size_t at = 0;

    assert_non_null(bytes);
    for (size_t i = 0; i < 3; i++) {
        size_t length = framing == FRAMING_FIXED || i == 1 ? LONG : 5;
        const unsigned char header[4] = {(unsigned char)length, (unsigned char)(length >> 8),
                                         (unsigned char)(length >> 16), 0};

        if (framing == FRAMING_LENGTH) {
            memcpy(bytes + at, header, 4);
            at += 4;
        }
        for (size_t j = 0; j < length && at < 3 * LONG; j++) {
            bytes[at++] = (char)('a' + (i + j * 7 + j / 1000) % 26);
        }
        if (framing == FRAMING_LINE) {
            bytes[at++] = '\n';
        }
    }
    *ret_length = at;
    return bytes;
}

static void long_records_are_whole(void **state)
{
    static const enum source_framing framings[] = {FRAMING_LINE, FRAMING_FIXED, FRAMING_LENGTH};
    static const size_t long_pieces[] = {1000, 4096, 65535, 65536};

    (void)state;
    for (size_t i = 0; i < 12; i++) {
        enum source_framing framing = framings[i % 3];
        CLEANUP(play_free) struct play play = play_new(framing, LONG, LONG);
        CLEANUP(free_cleanup) char *bytes = NULL;
        size_t length;

        bytes = long_bytes(framing, &length);
        feed(&play, bytes, length, long_pieces[i / 3]);
        assert_int_equal(play.host->delivered, 3);
        assert_int_equal(play.host->lengths[1], LONG);
        assert_memory_equal(play.host->records[1],
                            bytes + (framing == FRAMING_LINE    ? 6
                                     : framing == FRAMING_FIXED ? LONG
                                                                : 13),
                            LONG);
        assert_int_equal(frames_pending(&play.frames), 0);
    }
}

/* "A record longer than fits is rejected, not cut, and the stream stays in frame" */
static void a_record_that_is_too_long_keeps_its_length(void **state)
{
    static const enum source_framing framings[] = {FRAMING_LINE, FRAMING_LENGTH};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(play_free) struct play play = play_new(framings[i], 0, 26);
        CLEANUP(free_cleanup) char *bytes = NULL;
        size_t length, begins = framings[i] == FRAMING_LINE ? 6 : 13;

        bytes = long_bytes(framings[i], &length);
        feed(&play, bytes, length, 3000);
        assert_int_equal(play.host->delivered, 3);
        assert_int_equal(play.host->lengths[0], 5);
        assert_int_equal(play.host->lengths[1], LONG);
        assert_memory_equal(play.host->records[1], bytes + begins, 4096);
        assert_int_equal(play.host->lengths[2], 5);
        assert_memory_equal(play.host->records[2], bytes + length - (i == 0 ? 6 : 5), 5);
    }
}

/* "never ending a line (bounded memory: must resync at the next newline)" */
static void an_endless_line_takes_no_more_memory_than_the_buffer(void **state)
{
    CLEANUP(play_free) struct play play = play_new(FRAMING_LINE, 0, 26);
    static char bytes[32768];

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    for (int i = 0; i < 1000; i++) {
        feed(&play, bytes, sizeof(bytes), sizeof(bytes));
    }
    assert_int_equal(play.host->delivered, 0);
    assert_int_equal(frames_pending(&play.frames), 1000 * sizeof(bytes));
    feed(&play, "\nagain\n", 7, 7);
    assert_int_equal(play.host->delivered, 2);
    assert_int_equal(play.host->lengths[0], 1000 * sizeof(bytes));
    ASSERT_RECORD(play.host, "again");
}

/* A length that nobody can mean: it is waited for, and nothing is kept of it. */
static void the_greatest_length_is_only_counted(void **state)
{
    CLEANUP(play_free) struct play play = play_new(FRAMING_LENGTH, 0, 26);
    uint64_t dropped;

    (void)state;
    feed(&play, "\xff\xff\xff\xff", 4, 4);
    for (int i = 0; i < 100; i++) {
        char bytes[5000] = {0};

        feed(&play, bytes, sizeof(bytes), sizeof(bytes));
    }
    assert_int_equal(play.host->delivered, 0);
    assert_false(finish(&play, &dropped));
    assert_int_equal(dropped, 500000);
}

/* What was cut is never published, although more fits by now. */
static void a_record_that_was_cut_is_too_long_in_any_segment(void **state)
{
    CLEANUP(play_free) struct play play = play_new(FRAMING_LINE, 0, 26);
    static char bytes[70000];

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    feed(&play, bytes, sizeof(bytes), sizeof(bytes));
    play.host->longest = HOST_ROOM;
    feed(&play, "\nnext\n", 6, 6);
    assert_int_equal(play.host->delivered, 2);
    assert_true(play.host->lengths[0] > HOST_ROOM);
    ASSERT_RECORD(play.host, "next");
}

static void another_segment_may_have_less_room(void **state)
{
    static const enum source_framing framings[] = {FRAMING_LINE, FRAMING_LENGTH};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(play_free) struct play play = play_new(framings[i], 0, HOST_ROOM);
        CLEANUP(free_cleanup) char *bytes = NULL;
        size_t length;

        bytes = long_bytes(framings[i], &length);
        feed(&play, bytes, 100000, 10000);
        play.host->longest = 26;
        feed(&play, bytes + 100000, length - 100000, 10000);
        assert_int_equal(play.host->delivered, 3);
        assert_int_equal(play.host->lengths[1], LONG);
        assert_int_equal(play.host->lengths[2], 5);
    }
}

/* What a source that retires must leave to the next reader. */
static void sparing_reads_nothing_beyond_the_record(void **state)
{
    static const struct {
        enum source_framing framing;
        uint64_t size;
        const char *first, *rest;
        size_t length, rest_length;
    } cases[] = {
        {FRAMING_LINE, 0, "on", "e\nnext\n", 3, 7},
        {FRAMING_FIXED, 3, "on", "enext", 3, 5},
        {FRAMING_LENGTH, 0, "\3\0", "\0\0one\4\0\0\0next", 3, 13},
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(play_free) struct play play = play_new(cases[i].framing, cases[i].size, 100);
        size_t length;
        int left;

        feed(&play, cases[i].first, 2, 2);
        assert_int_equal(write(play.pipe[1], cases[i].rest, cases[i].rest_length),
                         cases[i].rest_length);
        while (!frames_next(&play.frames, &length)) {
            assert_true(frames_read(&play.frames, play.pipe[0], true) > 0);
        }
        assert_int_equal(length, cases[i].length);
        assert_memory_equal(play.host->places[play.host->here], "one", 3);
        left = (int)read(play.pipe[0], (char[16]){0}, 16);
        assert_int_equal(left, i == 2 ? 8 : i == 1 ? 4 : 5);
        assert_int_equal(frames_pending(&play.frames), 0);
    }
}

static void the_end_is_told(void **state)
{
    CLEANUP(play_free) struct play play = play_new(FRAMING_LINE, 0, 100);

    (void)state;
    play.pipe[1] = fd_close(play.pipe[1]);
    assert_int_equal(frames_read(&play.frames, play.pipe[0], false), 0);
}

TEST_GROUP("test-frames")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_records_without_their_newline),
        cmocka_unit_test(a_nul_is_a_byte_like_others),
        cmocka_unit_test(fixed_frames_have_their_size),
        cmocka_unit_test(a_length_comes_before_the_record),
        cmocka_unit_test(all_that_comes_may_be_one_record),
        cmocka_unit_test(long_records_are_whole),
        cmocka_unit_test(a_record_that_is_too_long_keeps_its_length),
        cmocka_unit_test(an_endless_line_takes_no_more_memory_than_the_buffer),
        cmocka_unit_test(the_greatest_length_is_only_counted),
        cmocka_unit_test(a_record_that_was_cut_is_too_long_in_any_segment),
        cmocka_unit_test(another_segment_may_have_less_room),
        cmocka_unit_test(sparing_reads_nothing_beyond_the_record),
        cmocka_unit_test(the_end_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
