/* SPDX-License-Identifier: MIT
 *
 * The state that an earlier daemon left, whatever has become of the file: it is continued or given
 * up for lost, and what is continued can be used: its image, its record, its queue.
 *
 * The script: a valid file is patched and cut, then opened as a daemon does at its start, and used.
 * Only leave(), patch() and mend() know how the file is made.
 */
#include "fuzz.h"

#include "../unit/private.h"
#include "conf/conf.h"
#include "daemon/ackentry.h"
#include "daemon/record.h"

#define KEY     5678
#define ID      7
#define SIZE    64 /* of the image in the valid file */
#define LONGEST ((size_t)512)
#define PATCHES 8
#define CLIENTS 8

enum step {
    STEP_PUSH,
    STEP_POP,
    STEP_PUBLISH,
    STEP_LOOK,
    STEP_ACKNOWLEDGE,
    STEP_RESIZE,
    STEPS,
};

struct scene {
    struct state *state;
    struct segment segment;
    char fill; /* what a new segment is full of */
    struct record record;
    uint64_t sequence; /* of the acknowledgement that was sent last; 0: none yet */
    bool drained;      /* … and of those that wait, the number of records is known */
    uint64_t records;
};

static char *directory;
static struct conf *conf;
static char *path;              /* of the file */
static size_t length;           /* … its length */
static struct state_file *file; /* … mapped; cutting it does not unmap it */
static struct state_file *valid;

#define FIELDS offsetof(struct state_file, conf_path)
#define QUEUE  offsetof(struct state_file, acklog)
#define KEPT   offsetof(struct state_file, acklog.entries) /* behind it, all is 0 */

/* --- the file --- */

static void clean_up(void)
{
    (void)private_directory_free(directory);
}

/* As a daemon leaves it that was killed. */
static void leave(void)
{
    const struct ack ack = {.record_first = 6, .record_last = 6, .records = 1};
    struct state *state;
    enum history history;
    struct stat st;
    pid_t pid;

    directory = private_directory_new();
    assert(directory && setenv("RUNTIME_DIRECTORY", directory, 1) == 0 && atexit(clean_up) == 0);
    assert(conf_new(&conf) == 0);
    conf->key = KEY;
    conf->size = SIZE;
    conf->path = strdup("/etc/shmd.conf");
    assert(state_open(conf, &state, &history, &pid) == 0 && history == HISTORY_NONE);
    memcpy(state->image, "abc", 4);
    state->file->record_length = 3;
    state->file->extent = 4;
    state->file->segment_id = ID;
    acklog_push(&state->file->acklog, ACKLOG_ENTRIES, &ack);
    state_enter(state->file, 7, PHASE_PUBLISHED);
    assert(fstat(state->fd, &st) == 0);
    length = (size_t)st.st_size;
    path = strdup(state->path);
    valid = malloc(length);
    assert(pread(state->fd, valid, length, 0) == (ssize_t)length);
    file = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, state->fd, 0);
    assert(file != MAP_FAILED);
    (void)state_free(state);
}

/* Makes the valid file again, and patches it; what it says of itself, a patch may leave as it is.
 */
static void patch(struct input *input)
{
    size_t patches = input_number(input, 1) % PATCHES;

    assert(truncate(path, 0) == 0 && truncate(path, (off_t)length) == 0);
    memcpy(file, valid, KEPT);
    memcpy((char *)file + length - SIZE, (char *)valid + length - SIZE, SIZE);
    for (size_t i = 0; i < patches; i++) {
        switch (input_number(input, 1) % 4) {
        case 0:
            input_patch(input, (char *)file + QUEUE, KEPT - QUEUE);
            break;
        case 1:
            input_patch(input, file, length);
            break;
        default:
            input_patch(input, file, FIELDS);
        }
    }
}

/* So that patches of other fields get past the first look. */
static void mend(void)
{
    file->magic = valid->magic;
    file->version = valid->version;
    file->boot = valid->boot;
    file->epoch = valid->epoch;
}

/* --- what a daemon does with it --- */

/* Its bytes are read: whatever is not there or was never written, a sanitizer or the kernel tells.
 */
static void use_image(const struct scene *scene)
{
    const struct state_file *fields = scene->state->file;
    char copy[LONGEST];

    assert(fields->image_size == scene->segment.size);
    assert(fields->record_length < fields->image_size && fields->extent <= fields->image_size);
    memcpy(copy, scene->state->image, scene->segment.size);
}

/* As the manager publishes: when nothing waits, and what fits. */
static void publish(struct scene *scene, struct input *input)
{
    size_t size = 1 + input_number(input, 2) % (scene->segment.size - 1);
    char bytes[LONGEST];

    if (record_waits(&scene->record)) {
        return;
    }
    memset(bytes, 'r', size);
    memcpy(record_place(&scene->record, size), bytes, size);
    record_publish(&scene->record, size);
    assert(record_waits(&scene->record));
    assert(memcmp(scene->segment.map, bytes, size) == 0 && scene->segment.map[size] == '\0');
    use_image(scene);
}

static void look(struct scene *scene)
{
    (void)record_look(&scene->record);
    if (record_waits(&scene->record)) {
        assert(memcmp(scene->segment.map + 1, scene->state->image + 1, scene->segment.size - 1) ==
               0);
    }
}

static void acknowledge(struct scene *scene)
{
    scene->segment.map[0] = PLAIN_ACKNOWLEDGED;
    if (record_look(&scene->record).acknowledged) {
        struct ack ack = record_ack(&scene->record, 1);

        acklog_push(&scene->state->file->acklog, ACKLOG_ENTRIES, &ack);
        scene->records += ack.records;
        record_done(&scene->record);
        assert(!record_waits(&scene->record));
    }
}

static void push(struct scene *scene, struct input *input)
{
    struct ack ack = {.verified = 1, .pid = (int32_t)(input_number(input, 1) % CLIENTS)};
    size_t limit = 2 + input_number(input, 1) % 16;

    ack.record_first = ack.record_last = ack.records = 1;
    acklog_push(&scene->state->file->acklog, limit, &ack);
    scene->records++;
}

/* Sends one; false if none waits. The sequence has no gap. */
static bool pop(struct scene *scene)
{
    struct acklog *acklog = &scene->state->file->acklog;
    CLEANUP(entry_free_cleanup) struct entry *entry = NULL;
    uint64_t sequence;
    struct ack ack;

    if (!acklog_peek(acklog, &ack, &sequence)) {
        assert(!scene->drained || scene->records == 0);
        scene->drained = true;
        scene->records = 0;
        return false;
    }
    assert(scene->sequence == 0 || sequence == scene->sequence + 1);
    assert(!scene->drained || scene->records >= ack.records);
    entry = ackentry_new(&ack, sequence, "somebody");
    acklog_pop(acklog);
    scene->sequence = sequence;
    scene->records -= ack.records;
    return true;
}

/* Goes on with a new segment, of another size perhaps. */
static void resize(struct scene *scene, size_t size)
{
    if (size != scene->state->file->image_size) {
        assert(state_make_room(scene->state, size) == 0);
        state_resize(scene->state, size);
    }
    free(scene->segment.map);
    scene->segment = (struct segment){
        .key = KEY, .id = scene->segment.id + 1, .size = size, .map = malloc(size)};
    memset(scene->segment.map, scene->fill, size);
    scene->record = (struct record){.segment = &scene->segment, .state = scene->state};
    record_resume(&scene->record);
    use_image(scene);
    look(scene);
}

static void play(struct scene *scene, struct input *input)
{
    switch ((enum step)(input_number(input, 1) % STEPS)) {
    case STEP_PUSH:
        push(scene, input);
        break;
    case STEP_POP:
        (void)pop(scene);
        break;
    case STEP_PUBLISH:
        publish(scene, input);
        break;
    case STEP_LOOK:
        look(scene);
        break;
    case STEP_ACKNOWLEDGE:
        acknowledge(scene);
        break;
    default:
        resize(scene, 2 + input_number(input, 2) % (LONGEST - 2));
    }
}

/* Opens what was patched; as at a daemon's start, the image gets the size that is wanted. */
static void start(struct scene *scene, struct input *input)
{
    bool cut = input_number(input, 1) % 8 == 1;
    off_t end = (off_t)(input_number(input, 3) % (length * 2));
    enum history history;
    uint64_t segment;
    pid_t pid;

    if (input_number(input, 1) % 4 != 1) {
        mend();
    }
    assert(!cut || truncate(path, end) == 0);
    conf->size = input_number(input, 1) % 2 ? 2 + input_number(input, 2) % (LONGEST - 2) : SIZE;
    assert(state_open(conf, &scene->state, &history, &pid) == 0);
    assert(history == HISTORY_CONTINUED || history == HISTORY_LOST);
    assert(strcmp(scene->state->file->conf_path, conf->path) == 0);
    assert(history == HISTORY_CONTINUED || acklog_waiting(&scene->state->file->acklog) == 0);
    /* The segment that it knows (bit 0) or another one, all '*' (bit 1) or all NUL: */
    segment = input_number(input, 1);
    scene->segment.id = ID - 2 + (int)(segment & 1);
    scene->fill = segment & 2 ? PLAIN_ACKNOWLEDGED : '\0';
    resize(scene, conf->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, size};
    struct scene scene = {0};

    if (!valid) {
        leave();
    }
    patch(&input);
    start(&scene, &input);
    while (input.left > 0) {
        play(&scene, &input);
    }
    while (pop(&scene)) {
    }
    free(scene.segment.map);
    (void)state_free(scene.state);
    return 0;
}
