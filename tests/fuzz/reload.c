/* SPDX-License-Identifier: MIT
 *
 * A whole daemon that is reloaded to any configuration in the midst of traffic: what is published
 * is a whole record that its source can have made, numbers go up, nobody gets one twice, whoever
 * sleeps is woken. In the end one more reload works, and a record can be read.
 *
 * The script: reloads, subscribers, publishers, who writes the file and the FIFO, an anonymous
 * client, a segment that is removed, and time that passes. After each step the daemon has its turn,
 * unless the step says no; what waits for a moment to come does not wait here.
 */
#include "scene.h"

#include <sys/shm.h>

#define KEY          0x162e
#define OTHER        0x162f
#define STEPS_MAX    128
#define CONNECTS     64                        /* as many as a daemon does not slow down */
#define LARGE        (((size_t)1 << 20) + 100) /* read in parts */
#define OTHERS_WRITE 0022
#define NO_TURN      0x80

enum step {
    STEP_RELOAD,
    STEP_SUBSCRIBE,
    STEP_TAKE,
    STEP_ACKNOWLEDGE,
    STEP_UNSUBSCRIBE,
    STEP_SLEEP,
    STEP_ANONYMOUS,
    STEP_PUBLISHER,
    STEP_HAND_IN,
    STEP_NO_PUBLISHER,
    STEP_FILE,
    STEP_FIFO,
    STEP_LEAVE_FIFO,
    STEP_REMOVE,
    STEP_TICK,
    STEP_POLL,
    STEP_LEASES,
    STEP_RETRY,
    STEP_STATUS,
    STEP_EVENTS,
    STEPS,
};

/* --- configurations --- */

/* A length that matters somewhere, or a little more or less. */
static size_t take_length(const struct scene *scene, struct input *input)
{
    static const uint32_t lengths[] = {0,    1,    2,    16,    26,    63,    300,   944,
                                       3840, 4096, 5000, 16384, 40000, 65536, 100000};
    size_t which = input_number(input, 1) % (COUNT(lengths) + 1);
    int64_t length = which < COUNT(lengths)  ? lengths[which]
                     : scene->daemon.manager ? (int64_t)board_longest(&scene->daemon.manager->board)
                                             : 26;

    length += (int8_t)input_number(input, 1);
    return length > 0 ? (size_t)length : 0;
}

/*
 * The sizes are those at which something begins to fit, or lies elsewhere. A ring of less than a
 * page is refused, and so is one that others write.
 */
static void configure(struct scene *scene, struct input *input)
{
    static const uint32_t sizes[] = {2,    3,    17,   27,    64,    945,    3841,   4096,
                                     4097, 5000, 8192, 20000, 65537, 100000, 400000, LARGE + 2};
    static const char *const modes[] = {"0644", "0666", "0640", "0600"};
    static const char *const leases[] = {"86400000", "10000", "1000", "10"};
    static const char *const types[] = {"alphabet", "pattern", "file", "stream", "push"};
    static const char *const framings[] = {"line", "fixed", "length"};
    uint64_t shape = input_number(input, 1);
    size_t size = sizes[input_number(input, 1) % COUNT(sizes)] + input_number(input, 1) % 4;
    uint64_t source = input_number(input, 1);
    size_t frame_size = take_length(scene, input);
    bool ring = shape & 1, first = !scene->daemon.manager;
    const char *type = types[source % COUNT(types)];
    char text[1024];

    if (ring && size < RING_SIZE_MIN && (first || size > 27)) {
        size += RING_SIZE_MIN;
    } else if (ring && size > LARGE) {
        size /= 4; /* else it takes long to fill */
    }
    (void)snprintf(text, sizeof(text),
                   "key = %u; layout = \"%s\"; size = %zu; when_full = \"%s\"; mode = \"%s\";\n"
                   "lease_ms = %s; poll_interval_ms = 60000;\n"
                   "source = { type = \"%s\"; path = \"%s\"; watch = %s;\n"
                   "    framing = \"%s\"; frame_size = %zu; };\n",
                   shape & 2 ? OTHER : KEY, ring ? "ring" : "plain", size,
                   shape & 4 ? "overwrite" : "wait",
                   modes[(shape >> 3) % (ring && first ? 1 : COUNT(modes))],
                   leases[(shape >> 5) % COUNT(leases)], type,
                   strcmp(type, "stream") == 0 ? scene->origin.fifo : scene->origin.file,
                   source / 8 % 2 ? "true" : "false", framings[source / 16 % COUNT(framings)],
                   strcmp(type, "stream") == 0 && frame_size == 0 ? 1 : frame_size);
    write_conf(scene, text);
}

/* Somebody asks how it is, and goes. */
static void ask_status(struct scene *scene)
{
    const struct message status = message_head(MESSAGE_STATUS, sizeof(status));
    struct peer peer;

    assert(peer_connect(&peer, scene->daemon.socket_path));
    run_events(scene->daemon.manager, ROUNDS);
    assert(peer_say(&peer, &status, sizeof(status)));
    run_events(scene->daemon.manager, ROUNDS);
    assert(!peer_is_dropped(&peer));
    peer_leave(&peer);
}

/* --- clients --- */

static void acknowledge(struct scene *scene, struct subscriber *subscriber, struct input *input)
{
    switch (input_number(input, 1) % 8) {
    case 0:
        subscriber_acknowledge(subscriber, subscriber->acknowledged + 1);
        break;
    case 1:
        subscriber_acknowledge(subscriber, scene->newest);
        break;
    case 2:
        subscriber_acknowledge(subscriber, scene->newest + 1);
        break;
    case 3:
        subscriber_acknowledge(subscriber, subscriber->acknowledged - 1);
        break;
    default:
        subscriber_acknowledge(subscriber, subscriber->taken);
    }
}

static void play_subscriber(struct scene *scene, enum step step, struct input *input)
{
    uint64_t who = input_number(input, 1);
    struct subscriber *subscriber = &scene->subscribers[who % SUBSCRIBERS];

    if (step == STEP_SUBSCRIBE) {
        subscriber_leave(subscriber);
        if (scene->connects++ < CONNECTS) {
            subscriber->client = (uint32_t)(1 + who % SUBSCRIBERS);
            (void)subscriber_come(subscriber, &scene->daemon,
                                  who & 0x10 ? MESSAGE_START_NEXT : MESSAGE_START_OLDEST);
        }
        return;
    }
    if (!subscriber->segment) {
        return;
    }
    if (step == STEP_TAKE) {
        for (uint64_t i = 0; i <= who >> 4 && subscriber_take(subscriber, scene->seen); i++) {
        }
    } else if (step == STEP_ACKNOWLEDGE) {
        acknowledge(scene, subscriber, input);
    } else if (step == STEP_SLEEP) {
        subscriber_sleep(subscriber);
    } else {
        subscriber_leave(subscriber);
    }
}

static void hand_in(struct scene *scene, struct publisher *publisher, size_t length)
{
    struct origin *origin = &scene->origin;
    char *place = origin->count < ORIGIN_HANDED_IN ? publisher_place(publisher, length) : NULL;

    if (place) {
        content_write(place, length, (char)('A' + publisher->index), origin->count);
        origin->handed_in[origin->count] = (struct handed_in){
            .publisher = publisher->index, .number = origin->count, .length = length};
        origin->count++;
        publisher_hand_in(publisher, length);
    }
}

static void play_publisher(struct scene *scene, enum step step, struct input *input)
{
    struct publisher *publisher = &scene->publishers[input_number(input, 1) % PUBLISHERS];
    size_t length = step == STEP_HAND_IN ? take_length(scene, input) : 0;

    if (step == STEP_HAND_IN && publisher->peer.queue) {
        hand_in(scene, publisher, length);
    } else if (step != STEP_HAND_IN) {
        peer_leave(&publisher->peer);
    }
    if (step == STEP_PUBLISHER && scene->connects++ < CONNECTS &&
        scene->publishers_come < ORIGIN_PUBLISHERS && publisher_come(publisher, &scene->daemon)) {
        publisher->index = scene->publishers_come++;
    }
}

/* --- what sources read --- */

static void write_file(struct scene *scene, struct input *input)
{
    uint64_t how = input_number(input, 1);
    size_t length = take_length(scene, input);

    if (how % 8 == 7) {
        (void)unlink(scene->origin.file);
    } else {
        origin_write_file(&scene->origin, how % 8 == 6 ? LARGE : length, how & 1);
    }
}

static void write_fifo(struct scene *scene, struct input *input)
{
    const struct conf *conf = scene->daemon.manager->conf;
    uint64_t part = input_number(input, 1);
    bool raw = input_number(input, 1) % 8 == 7;
    size_t length = take_length(scene, input);

    if (strcmp(conf->source_type, "stream") == 0) {
        origin_write_fifo(&scene->origin, conf, length, part == 0 ? 256 : part, raw);
    }
}

/* --- all of it --- */

static void play_daemon(struct scene *scene, enum step step, struct input *input)
{
    struct manager *manager = scene->daemon.manager;

    switch (step) {
    case STEP_RELOAD:
        configure(scene, input);
        daemon_reload(manager);
        break;
    case STEP_ANONYMOUS:
        if (manager->board.layout == LAYOUT_PLAIN && (manager->conf->mode & OTHERS_WRITE) &&
            record_waits(&manager->board.record)) {
            (void)plain_acknowledge(manager->segment.map, manager->segment.map[0]);
        }
        break;
    case STEP_REMOVE:
        (void)shmctl(manager->segment.id, IPC_RMID, NULL);
        break;
    case STEP_TICK:
        assert(manager_on_tick(manager->tick_source, 0, manager) == 0);
        break;
    case STEP_POLL:
        assert(manager_on_poll(manager->poll_source, manager->poll_fd, 0, manager) == 0);
        break;
    case STEP_LEASES:
        expire_leases(manager);
        break;
    case STEP_RETRY:
        expire(manager->intake.ask_source);
        break;
    case STEP_STATUS:
        if (scene->connects++ < CONNECTS) {
            ask_status(scene);
        }
        break;
    default:
        run_events(manager, input_number(input, 1) % 4);
    }
}

static void play(struct scene *scene, struct input *input)
{
    uint64_t number = input_number(input, 1);
    enum step step = (enum step)(number % NO_TURN % STEPS);
    bool turned = !(number & NO_TURN) && step != STEP_EVENTS;

    before_step(scene);
    if (step >= STEP_SUBSCRIBE && step <= STEP_SLEEP) {
        play_subscriber(scene, step, input);
    } else if (step >= STEP_PUBLISHER && step <= STEP_NO_PUBLISHER) {
        play_publisher(scene, step, input);
    } else if (step == STEP_FILE) {
        write_file(scene, input);
    } else if (step == STEP_FIFO) {
        write_fifo(scene, input);
    } else if (step == STEP_LEAVE_FIFO) {
        origin_leave_fifo(&scene->origin);
    } else {
        play_daemon(scene, step, input);
    }
    if (turned) {
        turn(scene->daemon.manager);
    }
    after_step(scene, turned);
}

static void set_up(struct scene *scene, struct input *input)
{
    struct daemon *daemon = &scene->daemon;
    struct origin *origin = &scene->origin;

    daemon->conf_path = path_of("shmd.conf");
    daemon->socket_path = path_of("socket");
    origin->file = path_of("file");
    origin->new_file = path_of("new");
    origin->fifo = path_of("fifo");
    origin->writer = -1;
    for (size_t i = 0; i < SUBSCRIBERS; i++) {
        scene->subscribers[i].peer = PEER_NONE;
    }
    for (size_t i = 0; i < PUBLISHERS; i++) {
        scene->publishers[i].peer = PEER_NONE;
    }
    assert(mkfifo(origin->fifo, 0600) == 0);
    mock_journal_reset();
    configure(scene, input);
    assert(start(daemon));
}

static void tear_down(struct scene *scene)
{
    struct origin *origin = &scene->origin;
    char *const paths[] = {scene->daemon.conf_path, scene->daemon.socket_path, origin->file,
                           origin->new_file, origin->fifo};

    daemon_stop(&scene->daemon, false);
    mock_journal_reset();
    for (size_t i = 0; i < COUNT(paths); i++) {
        (void)unlink(paths[i]);
        free(paths[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct input input = {bytes, length};
    static struct scene all; /* long: mostly written before it is read */
    struct scene *scene = &all;
    size_t before = descriptors();

    memset(scene, 0, sizeof(*scene));
    set_up(scene, &input);
    for (size_t steps = 0; input.left > 0 && steps < STEPS_MAX; steps++) {
        play(scene, &input);
    }
    check_end(scene);
    tear_down(scene);
    assert(descriptors() == before);
    return 0;
}
