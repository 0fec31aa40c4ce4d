/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * Threads that the system refuses, threads with little stack, and threads that load, compute and fail at the same time:
 * the same bits as ever, no hang, and each thread its own messages.
 */

#define _GNU_SOURCE /* RTLD_NEXT */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backbone.h"
#include "check.h"

#define DO(call) CHECK((call) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message())

enum { SIZE = 160, WIDTH = 16, C2 = WIDTH * SIZE / 4 * SIZE / 4 };
/* Less than what the header promises to be enough: this is to fail first. */
enum { STACK = 96 << 10 };

/* ---- Threads that are refused ------------------------------------------------------------------------------------ */

static int allowed_threads = -1;

/* Instead of the C library's: a thread more is refused once so many were created; -1 for any number. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*main)(void *), void *argument) {
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    if (allowed_threads == 0) return EAGAIN;
    if (allowed_threads > 0) allowed_threads--;
    return real(thread, attributes, main, argument);
}

static int threads_of_process(void) {
    int count = -2;
    DIR *tasks = opendir("/proc/self/task");
    while (tasks != NULL && readdir(tasks) != NULL) count++;
    if (tasks != NULL) closedir(tasks);
    return count;
}

static backbone *create_with(int32_t threads, uint32_t out_stages) {
    backbone_options options;
    DO(backbone_options_init(&options, sizeof options));
    options.depth = 18;
    options.base_channels = WIDTH;
    options.out_stages = out_stages;
    options.threads = threads;
    backbone *net = NULL;
    DO(backbone_create(&options, &net));
    DO(backbone_init_weights(net, 3));
    return net;
}

static backbone *create(int32_t threads) { return create_with(threads, BACKBONE_STAGE_C2); }

static float pixels[3 * SIZE * SIZE];

static void forward(backbone *net, float *features) {
    backbone_tensor image = {pixels, BACKBONE_DTYPE_FLOAT32, 0, {1, 3, SIZE, SIZE},
                             {3 * SIZE * SIZE, SIZE * SIZE, SIZE, 1}};
    backbone_tensor c2 = {features, BACKBONE_DTYPE_FLOAT32, 0, {1, WIDTH, SIZE / 4, SIZE / 4},
                          {C2, SIZE * SIZE / 16, SIZE / 4, 1}};
    DO(backbone_forward(net, &image, &c2, 1));
}

static float expected[C2];

static void expect_bits(const char *what, backbone *net) {
    float *found = calloc(C2, sizeof *found);
    forward(net, found);
    CHECK(memcmp(expected, found, C2 * sizeof *found) == 0, "%s: other features", what);
    free(found);
}

static void refuse_threads(void) {
    int before = threads_of_process();
    for (int allowed = 0; allowed <= 2; allowed++) {
        backbone *net = create(4);
        allowed_threads = allowed;
        for (int i = 0; i < 3; i++) expect_bits("threads are refused", net);
        CHECK(threads_of_process() == before + allowed, "%d threads", threads_of_process() - before);
        /* Later the system allows more. */
        allowed_threads = -1;
        for (int i = 0; i < 200; i++) expect_bits("threads come back", net);
        CHECK(threads_of_process() == before + 3, "%d threads later", threads_of_process() - before);
        backbone_free(net);
        /* One that has been joined may be listed for a moment longer. */
        for (int i = 0; i < 1000 && threads_of_process() > before; i++) usleep(1000);
        CHECK(threads_of_process() == before, "%d threads left", threads_of_process() - before);
    }
}

/* ---- Little stack ------------------------------------------------------------------------------------------------ */

static const char *paths[] = {"/tmp/backbone-threads-XXXXXX.pth", "/tmp/backbone-threads-XXXXXX.safetensors"};
static char files[2][64];

/* Every call that does something. */
static void *use_all(void *unused) {
    (void)unused;
    backbone *net = create(2), *found = NULL;
    backbone_report *report = NULL;
    for (int i = 0; i < 2; i++) {
        DO(backbone_save_weights(net, files[i]));
        DO(backbone_load_weights(net, files[i], 1, &report));
        const char *text = NULL;
        DO(backbone_report_to_json(report, &text));
        CHECK(text != NULL && strstr(text, "conv1.weight") != NULL, "no name");
        backbone_report_free(report);
        DO(backbone_inspect(files[i], NULL, &report));
        backbone_report_free(report);
        backbone_options options;
        DO(backbone_options_init(&options, sizeof options));
        options.threads = 2;
        options.out_stages = BACKBONE_STAGE_C2;
        DO(backbone_create_from_file(files[i], &options, NULL, &found, NULL));
        backbone_free(found);
        CHECK(backbone_load_weights(net, "/nowhere/no.pth", 0, NULL) == BACKBONE_STATUS_FILE_NOT_FOUND, "no failure");
    }
    expect_bits("little stack", net);
    DO(backbone_set_training(net, 1));
    float features[C2 / 8];
    backbone_tensor image = {features, BACKBONE_DTYPE_FLOAT32, 0, {2, 3, 8, 8}, {0, 0, 8, 1}};
    float small[2 * WIDTH * 2 * 2];
    memset(features, 0, sizeof features);
    backbone_tensor c2 = {small, BACKBONE_DTYPE_FLOAT32, 0, {2, WIDTH, 2, 2}, {4 * WIDTH, 4, 2, 1}};
    DO(backbone_forward(net, &image, &c2, 1));
    backbone_free(net);
    return NULL;
}

static void with_stack(size_t size) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstacksize(&attributes, size) == 0, "%zu bytes are not a valid stack", size);
    CHECK(pthread_create(&thread, &attributes, use_all, NULL) == 0, "no thread");
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}

/* Threads get the smallest stack by default, as with a small `ulimit -s`. */
static void with_small_default(void) {
    pthread_attr_t before, least;
    pthread_getattr_default_np(&before);
    pthread_getattr_default_np(&least);
    CHECK(pthread_attr_setstacksize(&least, (size_t)sysconf(_SC_THREAD_STACK_MIN)) == 0, "no least stack");
    CHECK(pthread_setattr_default_np(&least) == 0, "no default");
    use_all(NULL);
    /* So large that workers read the file. */
    backbone *net = create_with(4, BACKBONE_STAGE_C5);
    for (int i = 0; i < 2; i++) {
        DO(backbone_save_weights(net, files[i]));
        for (int k = 0; k < 20; k++) DO(backbone_load_weights(net, files[i], 1, NULL));
    }
    backbone_free(net);
    pthread_setattr_default_np(&before);
    pthread_attr_destroy(&least);
    pthread_attr_destroy(&before);
}

/* ---- All at once ------------------------------------------------------------------------------------------------- */

static backbone *shared;
static int is_over;

static void *load_over_and_over(void *file) {
    for (int i = 0; i < 60; i++) {
        DO(backbone_load_weights(shared, file, 1, NULL));
        CHECK(backbone_load_weights(shared, file, 2, NULL) == BACKBONE_STATUS_INVALID_ARGUMENT, "no failure");
        CHECK(strstr(backbone_last_error_message(), "strict is 2") != NULL, "says: %s", backbone_last_error_message());
    }
    return NULL;
}

static void *compute_over_and_over(void *unused) {
    (void)unused;
    while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE)) {
        expect_bits("beside loads", shared);
        CHECK(backbone_forward(shared, NULL, NULL, 0) == BACKBONE_STATUS_INVALID_ARGUMENT, "no failure");
        CHECK(strstr(backbone_last_error_message(), "input is NULL") != NULL, "says: %s",
              backbone_last_error_message());
    }
    return NULL;
}

static void *fail_over_and_over(void *text) {
    char path[64], wanted[80];
    snprintf(path, sizeof path, "/nowhere/%s.pth", (char *)text);
    snprintf(wanted, sizeof wanted, "%s: ", path);
    while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE)) {
        CHECK(backbone_load_weights(shared, path, 0, NULL) == BACKBONE_STATUS_FILE_NOT_FOUND, "no failure");
        for (int i = 0; i < 20; i++) {
            CHECK(strncmp(backbone_last_error_message(), wanted, strlen(wanted)) == 0, "%s says: %s", path,
                  backbone_last_error_message());
            sched_yield();
        }
    }
    return NULL;
}

static void together(void) {
    shared = create(3);
    pthread_t threads[6];
    void *(*const bodies[])(void *) = {load_over_and_over,    load_over_and_over, compute_over_and_over,
                                       compute_over_and_over, fail_over_and_over, fail_over_and_over};
    void *const arguments[] = {files[0], files[1], NULL, NULL, "one", "another"};
    for (int i = 0; i < 6; i++) CHECK(pthread_create(&threads[i], NULL, bodies[i], arguments[i]) == 0, "no thread");
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    __atomic_store_n(&is_over, 1, __ATOMIC_RELEASE);
    for (int i = 2; i < 6; i++) pthread_join(threads[i], NULL);
    backbone_free(shared);
}

int main(void) {
    for (int i = 0; i < 3 * SIZE * SIZE; i++) pixels[i] = (float)(i * 7 % 31) / 16 - 1;
    for (int i = 0; i < 2; i++) {
        strcpy(files[i], paths[i]);
        close(mkstemps(files[i], (int)strlen(strchr(files[i], '.'))));
    }
    backbone *alone = create(1);
    forward(alone, expected);
    backbone_free(alone);
    with_stack(STACK);
    with_small_default();
    refuse_threads();
    together();
    if (failures == 0) printf("the same with few threads, with little stack, and all at once\n");
    for (int i = 0; i < 2; i++) unlink(files[i]);
    return failures == 0 ? 0 : 1;
}
