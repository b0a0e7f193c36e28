/* SPDX-License-Identifier: MIT
 *
 * Taking a ring over that an earlier daemon left, whatever has become of it: nothing outside the
 * segment is touched (it has its exact size), what is adopted is whole from its oldest record to
 * its newest, and so it stays while records are published and released.
 *
 * The script: daemons publish and release, die, also in the middle of a group, and find the segment
 * and their state patched.
 */
#include "fuzz.h"

#include "daemon/stream.h"
#include "proto/reader.h"

#include <stdlib.h>

#define SIZE        ((size_t)4096)
#define ID          7
#define STATE_WORDS 4 /* what the state says of a ring */

enum step {
    STEP_PUBLISH,
    STEP_RELEASE,
    STEP_RESTART,
    STEP_PATCH_HEADER,
    STEP_PATCH_DATA,
    STEP_PATCH_STATE,
    STEPS,
};

struct scene {
    struct segment segment;
    struct state state;
    struct stream stream; /* open while it has a writer with a header */
    enum ring_when_full when_full;
    uint64_t adopted; /* the newest record that was there when the ring was opened */
};

/* From the oldest record to the newest, each one is there, and ours have their bytes. */
static void check_whole(struct scene *scene)
{
    uint64_t oldest = stream_oldest(&scene->stream);
    uint64_t newest = stream_newest(&scene->stream);
    const struct ring_record *record;
    struct ring_reader reader;

    assert(oldest <= newest + 1 && newest - oldest + 1 <= SIZE / RING_LINE);
    assert(ring_attach(&reader, scene->segment.map, SIZE) == 0);
    ring_reader_go(&reader, stream_position(&scene->stream, oldest));
    for (reader.number = oldest; reader.number <= newest;) {
        uint32_t length;

        assert(ring_look(&reader, &record) == RING_RECORD);
        length = ring_length(record);
        for (uint32_t i = 0; i < length && reader.number > scene->adopted; i++) {
            assert(record->bytes[i] == (char)reader.number);
        }
        ring_advance(&reader, length);
    }
    assert(ring_look(&reader, &record) == RING_NOTHING);
    assert(stream_bytes(&scene->stream, oldest, newest) <= SIZE);
}

static void need_open(struct scene *scene)
{
    struct state_file *file = scene->state.file;
    uint64_t last = state_number(file);

    if (scene->stream.writer.header) {
        return;
    }
    assert(stream_new(&scene->stream, scene->segment.size, scene->when_full) == 0);
    stream_open(&scene->stream, &scene->segment, &scene->state);
    file->segment_id = ID;
    scene->adopted = stream_newest(&scene->stream);
    assert(scene->adopted - last <= (scene->when_full == RING_WAIT ? STREAM_GROUP_MAX : 1));
    assert(scene->adopted == state_number(file));
    check_whole(scene);
}

/* Adds a record; false: none is wanted. */
static bool add(struct scene *scene, struct input *input)
{
    uint64_t fastest = stream_newest(&scene->stream) - input_number(input, 1) % 4;
    size_t length = input_number(input, 2) % (ring_length_max(ring_capacity(SIZE)) + 1);
    char bytes[SIZE];

    if (!stream_wants(&scene->stream, fastest)) {
        return false;
    }
    memset(bytes, (int)(stream_added(&scene->stream) + 1), length);
    memcpy(stream_place(&scene->stream, length), bytes, length);
    if (stream_add(&scene->stream, length)) {
        stream_show(&scene->stream);
    }
    return true;
}

static void publish(struct scene *scene, struct input *input)
{
    uint64_t records = 1 + input_number(input, 1) % 8;
    bool dies = input_number(input, 1) % 4 == 0;

    stream_begin(&scene->stream, 0);
    while (records > 0 && add(scene, input)) {
        records--;
    }
    if (dies) {
        uint64_t before = stream_newest(&scene->stream);

        stream_close(&scene->stream);
        need_open(scene);
        assert(stream_newest(&scene->stream) == before);
        return;
    }
    stream_show(&scene->stream);
    (void)stream_end(&scene->stream);
    assert(stream_newest(&scene->stream) == stream_added(&scene->stream));
    check_whole(scene);
}

static void release(struct scene *scene, struct input *input)
{
    uint64_t number = stream_oldest(&scene->stream) + input_number(input, 1);
    uint64_t newest = stream_newest(&scene->stream);

    if (scene->when_full == RING_WAIT) {
        stream_release(&scene->stream, number < newest ? number : newest);
        check_whole(scene);
    }
}

static void patch_state(struct state_file *file, struct input *input)
{
    uint64_t words[STATE_WORDS] = {file->progress, file->released, (uint64_t)file->segment_id,
                                   file->epoch.qwords[0]};

    input_patch(input, words, sizeof(words));
    words[0] &= UINT64_MAX >> 1; /* no daemon lives to see a number of 62 bits */
    file->progress = words[0] & ~(uint64_t)3;
    file->released = words[1];
    file->segment_id = (int64_t)words[2];
    file->epoch.qwords[0] = words[3];
}

static void play(struct scene *scene, struct input *input)
{
    const size_t header = sizeof(struct ring_header);
    enum step step = (enum step)(input_number(input, 1) % STEPS);

    if (step == STEP_PUBLISH || step == STEP_RELEASE) {
        need_open(scene);
    } else {
        stream_close(&scene->stream);
    }
    switch (step) {
    case STEP_PUBLISH:
        publish(scene, input);
        break;
    case STEP_RELEASE:
        release(scene, input);
        break;
    case STEP_PATCH_HEADER:
        input_patch(input, scene->segment.map, header);
        break;
    case STEP_PATCH_DATA:
        input_patch(input, scene->segment.map + header, SIZE - header);
        break;
    case STEP_PATCH_STATE:
        patch_state(scene->state.file, input);
        break;
    default:
        need_open(scene);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct state_file file; /* long: only what a ring needs of it is made new */
    struct input input = {bytes, length};
    struct scene scene = {
        .segment = {.key = 1, .id = ID, .size = SIZE, .map = aligned_alloc(64, SIZE)},
        .state = {.file = &file},
        .when_full = input_number(&input, 1) % 2 ? RING_OVERWRITE : RING_WAIT,
    };

    memset(scene.segment.map, 0, SIZE);
    memset(&file.epoch, 0x5a, sizeof(file.epoch));
    file.segment_id = -1;
    file.progress = file.released = 0;
    while (input.left > 0) {
        play(&scene, &input);
    }
    need_open(&scene);
    stream_close(&scene.stream);
    free(scene.segment.map);
    return 0;
}
