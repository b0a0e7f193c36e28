/* SPDX-License-Identifier: MIT
 *
 * A hostile session page: whatever a client stores there, in its lines and in the daemon's, what
 * the daemon believes never goes backwards nor beyond what was published, and each record that
 * counts as acknowledged is handed over once or counted as lost.
 *
 * The script: the daemon publishes, looks, hands over and wakes; the client writes into its page.
 */
#include "fuzz.h"

#include "daemon/session.h"

#include <stdlib.h>

enum step {
    STEP_PUBLISH,
    STEP_ACKNOWLEDGE,
    STEP_ACKNOWLEDGE_ANY,
    STEP_LOSE,
    STEP_LOSE_ANY,
    STEP_SCRIBBLE,
    STEP_WAKE,
    STEPS,
};

struct scene {
    struct session *session;
    uint64_t published;
    bool lossy;
    bool lied;
};

static void look(struct scene *scene)
{
    struct session *session = scene->session;
    uint64_t before = session->acknowledged;
    uint64_t lost_before = session->lost;
    uint64_t claimed = atomic_load(&session->page->acknowledged);

    switch (session_look(session, scene->published, scene->lossy)) {
    case CLAIM_NOTHING:
        assert(claimed == before && session->acknowledged == before);
        break;
    case CLAIM_PROGRESS:
        assert(claimed > before && claimed <= scene->published);
        assert(session->acknowledged == claimed);
        assert(session->lost >= lost_before && session->lost - lost_before <= claimed - before);
        break;
    case CLAIM_FALSE:
        assert(claimed < before || claimed > scene->published);
        assert(session->acknowledged == before && session->lost == lost_before);
        scene->lied = true; /* it is dropped */
        break;
    }
    assert(scene->lossy || session->lost == 0);
}

static void play(struct scene *scene, struct input *input)
{
    struct session *session = scene->session;
    struct page *page = session->page;
    uint64_t number;

    switch ((enum step)(input_number(input, 1) % STEPS)) {
    case STEP_PUBLISH:
        scene->published += input_number(input, 1);
        break;
    case STEP_ACKNOWLEDGE:
        number = atomic_load(&page->acknowledged) + (uint64_t)(int8_t)input_number(input, 1);
        page_acknowledge(page, number, scene->session->lost);
        break;
    case STEP_ACKNOWLEDGE_ANY:
        atomic_store(&page->acknowledged, input_number(input, 8));
        break;
    case STEP_LOSE:
        number = atomic_load(&page->acknowledged) + input_number(input, 1);
        page_acknowledge(page, number, session->lost + (uint64_t)(int8_t)input_number(input, 1));
        break;
    case STEP_LOSE_ANY:
        number = atomic_load(&page->acknowledged) + input_number(input, 1);
        page_acknowledge(page, number, input_number(input, 8));
        break;
    case STEP_SCRIBBLE:
        input_patch(input, page, PAGE_SIZE);
        break;
    default:
        session_notify(session);
    }
    look(scene);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct input input = {bytes, length};
    struct session *session = calloc(1, sizeof(*session));
    struct scene scene = {.session = session};
    int fds[MESSAGE_WELCOME_FDS];

    session->socket = session->doorbell = session->client_doorbell = session->page_fd = -1;
    session->queue_fd = -1;
    session->role = MESSAGE_SUBSCRIBER;
    assert(session_equip(session) == 0 && session_share(session, fds) == MESSAGE_WELCOME_FDS - 1);
    scene.lossy = input_number(&input, 1) % 2;
    scene.published = input_number(&input, 1);
    session->first = 1 + input_number(&input, 1) % (scene.published + 1);
    session->acknowledged = session->first - 1;
    atomic_store(&session->page->acknowledged, session->acknowledged);
    while (input.left > 0 && !scene.lied) {
        play(&scene, &input);
    }
    session_end(session, PAGE_EVICTED);
    assert(atomic_load(&session->page->state) == PAGE_EVICTED);
    (void)fd_close(fds[1]);
    (void)fd_close(fds[2]);
    (void)session_free(session);
    return 0;
}
