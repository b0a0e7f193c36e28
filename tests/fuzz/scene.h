/* SPDX-License-Identifier: MIT
 *
 * A daemon with its clients and what its sources are given, for reload.c: what must hold after each
 * step, and in the end.
 */
#pragma once

#include "whole.h"
#include "clients.h"
#include "origin.h"

#define SUBSCRIBERS  3
#define PUBLISHERS   2
#define PATIENT      "lease_ms = 86400000; poll_interval_ms = 60000;\n"
#define KNOWN_LENGTH 60 /* of an alphabet */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct scene {
    struct daemon daemon;
    struct origin origin;
    struct subscriber subscribers[SUBSCRIBERS];
    struct publisher publishers[PUBLISHERS];
    size_t connects, publishers_come;
    struct seen seen[SEEN_MAX];
    uint64_t newest;            /* up to this one they are in there */
    struct conf *before, *next; /* of the sources, before a step */
};

/* --- what must hold --- */

static inline struct conf *hold(const struct feed *feed)
{
    return feed->source ? conf_ref(feed->conf) : NULL;
}

/* What may come in this step comes from the source that there is, or will be, or has been. */
static inline void before_step(struct scene *scene)
{
    const struct intake *intake = &scene->daemon.manager->intake;

    scene->before = hold(&intake->feed);
    scene->next = hold(&intake->next);
}

static inline void check_new(struct scene *scene, uint64_t number, const char *bytes, size_t length)
{
    const struct manager *manager = scene->daemon.manager;
    const struct conf *all[] = {scene->before, scene->next, hold(&manager->intake.feed)};
    bool made = false;

    for (size_t i = 0; i < COUNT(all) && !made; i++) {
        made = all[i] && origin_made(&scene->origin, all[i], &manager->board, bytes, length);
    }
    assert(made);
    (void)conf_free((struct conf *)(uintptr_t)all[2]);
    seen_note(scene->seen, number, bytes, length);
}

static inline void check_ring(struct scene *scene)
{
    struct manager *manager = scene->daemon.manager;
    struct stream *stream = &manager->board.stream;
    uint64_t oldest = stream_oldest(stream), newest = stream_newest(stream);
    const struct ring_record *record;
    struct ring_reader reader;

    assert(oldest <= newest + 1);
    assert(ring_attach(&reader, manager->segment.map, manager->segment.size) == 0);
    ring_reader_go(&reader, stream_position(stream, oldest));
    for (reader.number = oldest; reader.number <= newest;) {
        assert(ring_look(&reader, &record) == RING_RECORD);
        if (reader.number > scene->newest) {
            check_new(scene, reader.number, record->bytes, record->length);
        }
        ring_advance(&reader, record->length);
    }
    assert(ring_look(&reader, &record) == RING_NOTHING);
}

static inline void check_plain(struct scene *scene)
{
    const struct manager *manager = scene->daemon.manager;
    const struct record *record = &manager->board.record;
    const char *map = manager->segment.map, *image = record->state->image;
    size_t length = record->state->file->record_length, size = manager->segment.size;

    if (!record_waits(record)) {
        assert(map[0] == PLAIN_ACKNOWLEDGED || map[0] == '\0');
        return;
    }
    assert(length > 0 && length < size && (map[0] == PLAIN_ACKNOWLEDGED || map[0] == image[0]));
    assert(memcmp(map + 1, image + 1, length - 1) == 0);
    assert(map[length] == '\0' && memcmp(map + length, map + length + 1, size - length - 1) == 0);
    if (state_number(record->state->file) > scene->newest) {
        check_new(scene, state_number(record->state->file), image, length);
    } else {
        assert(seen_is(scene->seen, scene->newest, image, length));
    }
}

static inline void after_step(struct scene *scene, bool turned)
{
    struct manager *manager = scene->daemon.manager;
    uint64_t newest = board_newest(&manager->board);

    assert(sd_event_get_state(manager->event) == SD_EVENT_INITIAL && manager->segment.map);
    assert(newest >= scene->newest);
    if (manager->board.layout == LAYOUT_RING) {
        check_ring(scene);
    } else {
        check_plain(scene);
    }
    scene->newest = newest;
    for (size_t i = 0; i < SUBSCRIBERS && turned; i++) {
        struct subscriber *subscriber = &scene->subscribers[i];

        assert(!subscriber->asleep || !subscriber_has_news(subscriber) ||
               peer_is_rung(&subscriber->peer));
    }
    scene->before = conf_free(scene->before);
    scene->next = conf_free(scene->next);
}

/* --- the end --- */

static inline void write_conf(struct scene *scene, const char *text)
{
    assert(file_write(scene->daemon.conf_path, text, strlen(text)));
}

static inline void reload_to(struct scene *scene, const char *text)
{
    before_step(scene);
    write_conf(scene, text);
    daemon_reload(scene->daemon.manager);
    turn(scene->daemon.manager);
    after_step(scene, true);
}

/* Another source and another segment in two reloads: both in one are for the script to try. */
static inline void reload_to_known(struct scene *scene)
{
    const struct conf *conf = scene->daemon.manager->conf;
    char text[256];

    (void)snprintf(
        text, sizeof(text),
        "key = %u; layout = \"%s\"; size = %zu; when_full = \"%s\"; mode = \"%04o\";\n" PATIENT,
        (unsigned)conf->key, conf->layout ? "ring" : "plain", (size_t)conf->size,
        conf->when_full ? "overwrite" : "wait", (unsigned)conf->mode);
    reload_to(scene, text);
    (void)snprintf(text, sizeof(text), "size = %d; " PATIENT, KNOWN_LENGTH + 1);
    reload_to(scene, text);
    assert(scene->daemon.manager->segment.size == KNOWN_LENGTH + 1);
}

/* Reads until the known one comes: what the source before had taken in is in front of it. */
static inline void read_known(struct scene *scene)
{
    struct subscriber *subscriber = &scene->subscribers[0];
    const struct page *page;

    *subscriber = (struct subscriber){.peer = PEER_NONE};
    assert(subscriber_come(subscriber, &scene->daemon, MESSAGE_START_OLDEST));
    page = subscriber->peer.page;
    for (size_t left = ORIGIN_WRITTEN;; left--) {
        assert(left > 0);
        before_step(scene);
        expire(scene->daemon.manager->intake.ask_source);
        turn(scene->daemon.manager);
        after_step(scene, true);
        if (!subscriber_take(subscriber, scene->seen)) {
            continue;
        }
        if (page->length == KNOWN_LENGTH && are_letters(page->record, KNOWN_LENGTH, 0)) {
            subscriber_leave(subscriber);
            return;
        }
        subscriber_acknowledge(subscriber, subscriber->taken);
    }
}

static inline void check_end(struct scene *scene)
{
    struct manager *manager = scene->daemon.manager;

    before_step(scene);
    for (size_t i = 0; i < SUBSCRIBERS; i++) {
        subscriber_leave(&scene->subscribers[i]);
    }
    for (size_t i = 0; i < PUBLISHERS; i++) {
        peer_leave(&scene->publishers[i].peer);
    }
    origin_leave_fifo(&scene->origin); /* for the rest of a record, nobody waits */
    assert(manager_on_tick(manager->tick_source, 0, manager) == 0); /* is the segment there? */
    expire_leases(manager);
    turn(manager);
    after_step(scene, true);
    reload_to_known(scene);
    read_known(scene);
}
