/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * backbone_cancel: ends what has been entered, from another thread and from a signal handler, while it computes, draws
 * weights, loads or waits for a lock; changes nothing, and leaves later calls and other handles alone.
 *
 * Each call that is to be cancelled would take half a minute or more, so that one which goes on to its end shows by its
 * status.
 */

#define _DEFAULT_SOURCE

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backbone.h"
#include "check.h"

#define DO(call) CHECK((call) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message())

/* C5 has 8 * WIDTH channels, and a 32nd of the image's size. */
enum { WIDTH = 8, CHANNELS = 8 * WIDTH, IMAGES = 1 << 15, SIZE = 256, SMALL = 32 };

static backbone *create(int32_t base_channels, int32_t threads) {
    backbone_options options;
    DO(backbone_options_init(&options, sizeof options));
    options.depth = 18;
    options.base_channels = base_channels;
    options.out_stages = BACKBONE_STAGE_C5;
    options.threads = threads;
    backbone *net = NULL;
    DO(backbone_create(&options, &net));
    return net;
}

/* Of the network's own width. */
static backbone_status forward(backbone *net, int64_t images, int64_t size, float *features, int64_t image_stride) {
    static float pixel = 0.25f;
    backbone_tensor image = {&pixel, BACKBONE_DTYPE_FLOAT32, 0, {images, 3, size, size}, {0, 0, 0, 0}};
    int64_t side = size / 32;
    backbone_tensor c5 = {features, BACKBONE_DTYPE_FLOAT32, 0, {images, CHANNELS, side, side},
                          {image_stride, side * side, side, 1}};
    return backbone_forward(net, &image, &c5, 1);
}

/* ---- Calls that take very long ----------------------------------------------------------------------------------- */

/* The features of many images: memory that is never touched but for those that were computed. */
static backbone_status compute_many(backbone *net) {
    enum { STRIDE = CHANNELS * (SIZE / 32) * (SIZE / 32) };
    float *features = malloc((size_t)IMAGES * STRIDE * sizeof(float));
    CHECK(features != NULL, "no memory");
    backbone_status status = forward(net, IMAGES, SIZE, features, STRIDE);
    free(features);
    return status;
}

static backbone_status train(backbone *net) {
    enum { COUNT = 4096, STRIDE = CHANNELS * (SMALL / 32) * (SMALL / 32) };
    static float features[COUNT * STRIDE];
    backbone_status status = BACKBONE_STATUS_OK;
    /* One does not take long enough; the first that is cancelled ends it. */
    for (int i = 0; i < 100000 && status == BACKBONE_STATUS_OK; i++)
        status = forward(net, COUNT, SMALL, features, STRIDE);
    return status;
}

static backbone_status draw(backbone *net) {
    backbone_status status = BACKBONE_STATUS_OK;
    for (int i = 0; i < 100000 && status == BACKBONE_STATUS_OK; i++) status = backbone_init_weights(net, 7);
    return status;
}

static const char *checkpoint;

static backbone_status load(backbone *net) {
    backbone_status status = BACKBONE_STATUS_OK;
    for (int i = 0; i < 1000000 && status == BACKBONE_STATUS_OK; i++)
        status = backbone_load_weights(net, checkpoint, 1, NULL);
    return status;
}

/* ---- Ending them ------------------------------------------------------------------------------------------------- */

typedef struct {
    backbone_status (*call)(backbone *);
    backbone *net;
    backbone_status status;
    char message[512];
    int has_begun, has_ended;
} task;

static void *run(void *argument) {
    task *self = argument;
    __atomic_store_n(&self->has_begun, 1, __ATOMIC_RELEASE);
    self->status = self->call(self->net);
    snprintf(self->message, sizeof self->message, "%s", backbone_last_error_message());
    __atomic_store_n(&self->has_ended, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void start(task *self, pthread_t *thread) {
    CHECK(pthread_create(thread, NULL, run, self) == 0, "no thread");
    while (!__atomic_load_n(&self->has_begun, __ATOMIC_ACQUIRE)) usleep(100);
    usleep(20000);
}

static void expect_cancelled(const char *what, const task *self) {
    CHECK(self->status == BACKBONE_STATUS_CANCELLED, "%s: %s", what, backbone_status_string(self->status));
    CHECK(strstr(self->message, "cancel") != NULL, "%s says: %s", what, self->message);
}

static void cancel_from_here(const char *what, backbone *net, backbone_status (*call)(backbone *)) {
    task self = {.call = call, .net = net};
    pthread_t thread;
    start(&self, &thread);
    while (!__atomic_load_n(&self.has_ended, __ATOMIC_ACQUIRE)) {
        DO(backbone_cancel(net));
        usleep(1000);
    }
    pthread_join(thread, NULL);
    expect_cancelled(what, &self);
}

static backbone *handled;

static void cancel_handled(int signal) {
    (void)signal;
    backbone_cancel(handled);
}

/* On the very thread that computes. */
static void cancel_from_handler(backbone *net) {
    struct sigaction action = {.sa_handler = cancel_handled};
    sigaction(SIGUSR1, &action, NULL);
    handled = net;
    task self = {.call = compute_many, .net = net};
    pthread_t thread;
    start(&self, &thread);
    while (!__atomic_load_n(&self.has_ended, __ATOMIC_ACQUIRE)) {
        pthread_kill(thread, SIGUSR1);
        usleep(1000);
    }
    pthread_join(thread, NULL);
    expect_cancelled("a signal handler", &self);
}

/* A load that waits for a forward pass in progress is ended, and the forward pass is too: both have begun. */
static void cancel_those_who_wait(backbone *net) {
    task forward = {.call = compute_many, .net = net}, waiting = {.call = load, .net = net};
    pthread_t threads[2];
    start(&forward, &threads[0]);
    start(&waiting, &threads[1]);
    CHECK(!__atomic_load_n(&forward.has_ended, __ATOMIC_ACQUIRE), "the forward ended by itself");
    while (!__atomic_load_n(&forward.has_ended, __ATOMIC_ACQUIRE) ||
           !__atomic_load_n(&waiting.has_ended, __ATOMIC_ACQUIRE)) {
        DO(backbone_cancel(net));
        usleep(1000);
    }
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    expect_cancelled("a forward pass that others wait for", &forward);
    expect_cancelled("a load that waits", &waiting);
}

/* ---- What stays -------------------------------------------------------------------------------------------------- */

/* A hash of all entries. */
static uint64_t state(backbone *net) {
    size_t count = 0;
    uint64_t hash = 14695981039346656037u;
    DO(backbone_entry_count(net, &count));
    for (size_t i = 0; i < count; i++) {
        backbone_entry_info info;
        DO(backbone_get_entry_info(net, i, &info));
        size_t size = info.dtype == BACKBONE_DTYPE_INT64 ? 8 : 4;
        for (int axis = 0; axis < info.ndim; axis++) size *= (size_t)info.shape[axis];
        uint32_t *words = malloc(size);
        DO(backbone_read_entry(net, i, words, size));
        for (size_t k = 0; k < size / 4; k++) hash = (hash ^ words[k]) * 1099511628211u;
        free(words);
    }
    return hash;
}

/* Many trainings, of which the last is cancelled, leave the statistics of a whole number of them. */
static void cancel_training(void) {
    backbone *net = create(WIDTH, 2), *twin = create(WIDTH, 1);
    DO(backbone_init_weights(net, 5));
    DO(backbone_init_weights(twin, 5));
    DO(backbone_set_training(net, 1));
    DO(backbone_set_training(twin, 1));
    cancel_from_here("training", net, train);
    size_t index;
    int64_t batches = -1;
    DO(backbone_find_entry(net, "layer4.1.bn2.num_batches_tracked", &index));
    DO(backbone_read_entry(net, index, &batches, sizeof batches));
    enum { COUNT = 4096, STRIDE = CHANNELS * (SMALL / 32) * (SMALL / 32) };
    static float features[COUNT * STRIDE];
    for (int64_t i = 0; i < batches; i++) DO(forward(twin, COUNT, SMALL, features, STRIDE));
    CHECK(state(net) == state(twin), "not the statistics of %d batches", (int)batches);
    backbone_free(net);
    backbone_free(twin);
}

int main(void) {
    char path[] = "/tmp/backbone-cancel-XXXXXX";
    int file = mkstemp(path);
    CHECK(file >= 0, "no temporary file");
    close(file);
    checkpoint = path;
    enum { STRIDE = CHANNELS * (SMALL / 32) * (SMALL / 32) };
    static float expected[STRIDE], found[STRIDE];
    backbone *net = create(WIDTH, 2), *other = create(WIDTH, 2);
    DO(backbone_init_weights(net, 3));
    DO(backbone_save_weights(net, path));
    uint64_t before = state(net);
    DO(forward(net, 1, SMALL, expected, STRIDE));

    CHECK(backbone_cancel(NULL) == BACKBONE_STATUS_INVALID_ARGUMENT, "cancels nothing");
    DO(backbone_cancel(net));
    DO(forward(net, 1, SMALL, found, STRIDE));
    CHECK(memcmp(expected, found, sizeof found) == 0, "other features after a cancel that ended nothing");

    cancel_from_here("forward", net, compute_many);
    cancel_from_handler(net);
    cancel_from_here("load", net, load);
    cancel_those_who_wait(net);
    CHECK(state(net) == before, "another network");
    memset(found, 0, sizeof found);
    DO(forward(net, 1, SMALL, found, STRIDE));
    CHECK(memcmp(expected, found, sizeof found) == 0, "other features after cancels");
    DO(forward(other, 1, SMALL, found, STRIDE));
    cancel_training();

    /* Large ones, of which each takes a while; those that were drawn before the cancel are whole. */
    backbone *wide = create(48, 1), *twin = create(48, 1);
    cancel_from_here("drawing weights", wide, draw);
    uint64_t undrawn = state(twin), drawn;
    DO(backbone_init_weights(twin, 7));
    drawn = state(twin);
    uint64_t now = state(wide);
    CHECK(now == undrawn || now == drawn, "weights of another seed");

    backbone_free(wide);
    backbone_free(twin);
    backbone_free(other);
    backbone_free(net);
    unlink(path);
    if (failures == 0) printf("cancelled what it was to cancel, and nothing else\n");
    return failures == 0 ? 0 : 1;
}
