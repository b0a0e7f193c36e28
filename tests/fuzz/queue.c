/* SPDX-License-Identifier: MIT
 *
 * A publisher's queue as the daemon sees it: its bytes are the publisher's, and may be anything.
 * Nothing is read outside the queue (it has its exact size), a record is as long as one may be, and
 * has the number that comes next; what an honest publisher hands in comes out as it was.
 *
 * The script: an honest publisher hands in, another one patches, and the daemon takes.
 */
#include "fuzz.h"

#include "proto/queue.h"

#include <stdlib.h>

#define SIZE  ((size_t)4096)
#define FIRST 7

enum step {
    STEP_HAND_IN,
    STEP_TAKE,
    STEP_LEAVE_OUT,
    STEP_PATCH_HEADER,
    STEP_PATCH_DATA,
    STEP_RESUME,
    STEPS,
};

struct scene {
    char *queue;
    char *buffer; /* of the longest record */
    struct ring_writer writer;
    struct ring_reader reader;
    bool honest; /* nobody has patched it since it was made */
};

static void make(struct scene *scene)
{
    static const uint8_t epoch[16] = {1};

    queue_format(scene->queue, SIZE, epoch, FIRST);
    scene->writer = queue_writer(scene->queue, SIZE, FIRST);
    scene->reader = queue_reader(scene->queue, SIZE, 0, FIRST);
    scene->honest = true;
}

/* Only a publisher whose queue nobody else has written knows what it may write over. */
static bool room(struct scene *scene, uint64_t length)
{
    if (!scene->honest) {
        return false;
    }
    queue_release(&scene->writer, ring_position(&scene->reader));
    return ring_has_room(&scene->writer, length);
}

static void hand_in(struct scene *scene, struct input *input)
{
    struct ring_writer *writer = &scene->writer;
    uint64_t length = input_number(input, 2) % (ring_length_max(writer->capacity) + 1);

    if (room(scene, length)) {
        memset(ring_reserve(writer, length), (int)writer->number, length);
        (void)ring_commit(writer, length);
    }
}

static void leave_out(struct scene *scene, struct input *input)
{
    struct ring_writer *writer = &scene->writer;
    size_t length = (size_t)input_number(input, 8);

    if (length > 0 && room(scene, 0)) {
        queue_leave_out(writer, length);
    }
}

static void take(struct scene *scene)
{
    struct ring_reader *reader = &scene->reader;
    size_t length, left_out;
    const char *bytes;

    switch (queue_look(reader, &bytes, &length, &left_out)) {
    case QUEUE_EMPTY:
        assert(!scene->honest || reader->number == scene->writer.number);
        break;
    case QUEUE_BROKEN:
        assert(!scene->honest);
        make(scene); /* its session ends, and there is another one */
        break;
    case QUEUE_RECORD:
        assert(length <= ring_length_max(reader->capacity));
        memcpy(scene->buffer, bytes, length);
        for (size_t i = 0; i < length && scene->honest; i++) {
            assert(scene->buffer[i] == (char)reader->number);
        }
        assert(!scene->honest || reader->number < scene->writer.number);
        ring_advance(reader, length);
    }
}

static void play(struct scene *scene, struct input *input)
{
    const size_t header = sizeof(struct ring_header);

    switch ((enum step)(input_number(input, 1) % STEPS)) {
    case STEP_HAND_IN:
        hand_in(scene, input);
        break;
    case STEP_LEAVE_OUT:
        leave_out(scene, input);
        break;
    case STEP_PATCH_HEADER:
        input_patch(input, scene->queue, header);
        scene->honest = false;
        break;
    case STEP_PATCH_DATA:
        input_patch(input, scene->queue + header, SIZE - header);
        scene->honest = false;
        break;
    case STEP_RESUME: /* the next daemon goes on where this one was */
        scene->reader =
            queue_reader(scene->queue, SIZE, ring_position(&scene->reader), scene->reader.number);
        break;
    default:
        take(scene);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct input input = {bytes, length};
    struct scene scene = {
        .queue = aligned_alloc(64, SIZE),
        .buffer = malloc(ring_length_max(ring_capacity(SIZE))),
    };

    memset(scene.queue, 0, SIZE);
    make(&scene);
    while (input.left > 0) {
        play(&scene, &input);
    }
    free(scene.buffer);
    free(scene.queue);
    return 0;
}
