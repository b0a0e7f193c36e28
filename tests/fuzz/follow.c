/* SPDX-License-Identifier: MIT
 *
 * Reading a ring without a session: the segment may be anybody's, and its bytes may change between
 * any two calls. No call reads outside the segment or writes outside the buffer (both have their
 * exact size), each one ends, and a record that is returned is as long as a record may be and
 * accounts for those that were lost before it.
 *
 * The script: a good writer publishes, a bad one patches, and the reader does what a client may.
 */
#include "fuzz.h"

#include "lib/follow.h"
#include "proto/writer.h"

#include <errno.h>
#include <stdlib.h>

#define SIZE ((size_t)4096)

enum step {
    STEP_PUBLISH,
    STEP_TAKE,
    STEP_PATCH_HEADER,
    STEP_PATCH_DATA,
    STEP_SKIP,
    STEP_LENGTH,
    STEP_FORMAT,
    STEP_START,
    STEPS,
};

struct scene {
    char *segment;
    struct ring_writer writer;
    uint8_t epoch; /* each ring has another one */
    bool honest;   /* nobody has patched the segment since it was made */
    struct follower follower;
    bool trusts; /* the same, and the follower was started since */
    char *buffer;
    uint64_t last; /* that was taken; 0: none since the start or a skip */
};

static void stop(struct scene *scene)
{
    free(scene->buffer);
    scene->buffer = NULL;
}

static void start(struct scene *scene)
{
    stop(scene);
    scene->last = 0;
    scene->trusts = scene->honest;
    if (follower_start(&scene->follower, scene->segment, SIZE) == 0) {
        scene->buffer = malloc(follower_record_max(&scene->follower));
    }
}

static void format(struct scene *scene)
{
    const uint8_t epoch[16] = {++scene->epoch};

    ring_format(&scene->writer, scene->segment, SIZE, epoch, RING_OVERWRITE, 1);
    scene->honest = true;
    scene->trusts = false;
}

/* Only a writer whose ring nobody else has written knows what it may write over. */
static void publish(struct scene *scene, struct input *input)
{
    struct ring_writer *writer = &scene->writer;
    uint64_t length = input_number(input, 2) % (ring_length_max(writer->capacity) + 1);

    if (scene->honest) {
        while (!ring_has_room(writer, length)) {
            ring_drop_oldest(writer);
        }
        memset(ring_reserve(writer, length), (int)writer->number, length);
        (void)ring_commit(writer, length);
    }
}

static void take_one(struct scene *scene)
{
    size_t length;
    int r = follower_take(&scene->follower, scene->buffer, &length);

    assert(r == 0 || r == -EAGAIN || r == -ENOLINK || r == -EPROTO);
    if (r == 0) {
        const struct follower *follower = &scene->follower;

        assert(length <= follower_record_max(follower));
        assert(scene->last == 0 || follower->number == scene->last + follower->lost + 1);
        for (size_t i = 0; i < length && scene->trusts; i++) {
            assert(scene->buffer[i] == (char)follower->number);
        }
        scene->last = follower->number;
    }
    if (r == -EPROTO) {
        stop(scene); /* that is no ring: a client gives up */
    }
}

static void play(struct scene *scene, struct input *input)
{
    size_t header = sizeof(struct ring_header);
    enum step step = (enum step)(input_number(input, 1) % STEPS);

    if (!scene->buffer && (step == STEP_TAKE || step == STEP_SKIP || step == STEP_LENGTH)) {
        step = STEP_START;
    }
    switch (step) {
    case STEP_PUBLISH:
        publish(scene, input);
        break;
    case STEP_TAKE:
        take_one(scene);
        break;
    case STEP_PATCH_HEADER:
        input_patch(input, scene->segment, header);
        scene->honest = scene->trusts = false;
        break;
    case STEP_PATCH_DATA:
        input_patch(input, scene->segment + header, SIZE - header);
        scene->honest = scene->trusts = false;
        break;
    case STEP_SKIP:
        scene->last = 0;
        if (follower_skip(&scene->follower) == -EPROTO) {
            stop(scene);
        }
        break;
    case STEP_LENGTH:
        assert(follower_oldest_length(&scene->follower) <=
               (ssize_t)follower_record_max(&scene->follower));
        break;
    case STEP_FORMAT:
        format(scene);
        break;
    default:
        start(scene);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct input input = {bytes, length};
    struct scene scene = {.segment = aligned_alloc(64, SIZE)};

    memset(scene.segment, 0, SIZE);
    format(&scene);
    start(&scene);
    while (input.left > 0) {
        play(&scene, &input);
    }
    stop(&scene);
    free(scene.segment);
    return 0;
}
