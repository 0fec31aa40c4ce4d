/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * What is left in a process of libraries that were opened and closed, of networks that were created and freed, and of
 * threads that used one and ended: nothing. The numbers after a few rounds are compared with those after many more.
 *
 * Usage: lifetime LIBRARY.so, which this program is not linked with.
 */

#define _GNU_SOURCE /* mallinfo2 */

#include <dirent.h>
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backbone.h"
#include "check.h"

/* ---- The library ------------------------------------------------------------------------------------------------ */

static struct {
    __typeof__(backbone_options_init) *options_init;
    __typeof__(backbone_create) *create;
    __typeof__(backbone_forward) *forward;
    __typeof__(backbone_free) *free;
    __typeof__(backbone_last_error_message) *message;
} api;

static const char *path;

static void *find(void *library, const char *name) {
    void *function = dlsym(library, name);
    CHECK(function != NULL, "%s", dlerror());
    return function;
}

static void *open_library(void) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        _exit(1);
    }
    *(void **)&api.options_init = find(library, "backbone_options_init");
    *(void **)&api.create = find(library, "backbone_create");
    *(void **)&api.forward = find(library, "backbone_forward");
    *(void **)&api.free = find(library, "backbone_free");
    *(void **)&api.message = find(library, "backbone_last_error_message");
    return library;
}

static backbone *create(void) {
    backbone *net = NULL;
    backbone_options options;
    api.options_init(&options, sizeof options);
    options.depth = 18;
    options.base_channels = 1;
    options.out_stages = BACKBONE_STAGE_C2;
    options.threads = 2;
    CHECK(api.create(&options, &net) == BACKBONE_STATUS_OK, "%s", api.message());
    return net;
}

/* On an image that is large enough for two threads: the worker starts. */
static void forward(backbone *net) {
    enum { SIZE = 32 };
    static const float pixels[3 * SIZE * SIZE] = {1};
    float memory[SIZE / 4 * SIZE / 4];
    backbone_tensor image = {(void *)pixels, BACKBONE_DTYPE_FLOAT32, 0, {1, 3, SIZE, SIZE},
                             {3 * SIZE * SIZE, SIZE * SIZE, SIZE, 1}};
    backbone_tensor c2 = {memory, BACKBONE_DTYPE_FLOAT32, 0, {1, 1, SIZE / 4, SIZE / 4},
                          {SIZE * SIZE / 16, SIZE * SIZE / 16, SIZE / 4, 1}};
    CHECK(api.forward(net, &image, &c2, 1) == BACKBONE_STATUS_OK, "%s", api.message());
}

/* ---- What a process holds --------------------------------------------------------------------------------------- */

typedef struct {
    long allocated;         /* bytes that malloc has given out */
    long resident, virtual; /* bytes of the process */
    long mappings, threads, descriptors;
} footprint;

static long entries_of(const char *folder) {
    long count = -2;
    DIR *entries = opendir(folder);
    while (entries != NULL && readdir(entries) != NULL) count++;
    if (entries != NULL) closedir(entries);
    return count;
}

static footprint measure(void) {
    /* A thread that has been joined may be listed for a moment longer. */
    usleep(20000);
    malloc_trim(0);
    struct mallinfo2 heap = mallinfo2();
    footprint result = {.allocated = (long)(heap.uordblks + heap.hblkhd)};
    long pages[2] = {0};
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%ld %ld", &pages[0], &pages[1]) == 2, "no statm");
    if (file != NULL) fclose(file);
    result.virtual = pages[0] * sysconf(_SC_PAGESIZE);
    result.resident = pages[1] * sysconf(_SC_PAGESIZE);
    file = fopen("/proc/self/maps", "r");
    for (int c; file != NULL && (c = getc(file)) != EOF;) result.mappings += c == '\n';
    if (file != NULL) fclose(file);
    result.threads = entries_of("/proc/self/task");
    result.descriptors = entries_of("/proc/self/fd");
    return result;
}

/* `few` rounds, which may leave caches, and then `many`, which may leave nothing. */
static void leaves_nothing(const char *what, void (*round)(void), int few, int many) {
    for (int i = 0; i < few && failures == 0; i++) round();
    footprint before = measure();
    for (int i = 0; i < many && failures == 0; i++) round();
    footprint after = measure();
    printf("%-28s %6d times: %+ld bytes allocated, %+ld KiB resident, %+ld KiB mapped in %+ld places, %+ld threads, "
           "%+ld descriptors\n",
           what, many, after.allocated - before.allocated, (after.resident - before.resident) / 1024,
           (after.virtual - before.virtual) / 1024, after.mappings - before.mappings, after.threads - before.threads,
           after.descriptors - before.descriptors);
    CHECK(after.allocated - before.allocated < many, "%s: a byte each time", what);
    CHECK(after.resident - before.resident < 1 << 20, "%s", what);
    CHECK(after.virtual <= before.virtual, "%s", what);
    CHECK(after.mappings <= before.mappings, "%s", what);
    CHECK(after.threads <= before.threads, "%s", what);
    CHECK(after.descriptors <= before.descriptors, "%s", what);
}

/* ---- Rounds ----------------------------------------------------------------------------------------------------- */

static void open_use_and_close(void) {
    void *library = open_library();
    backbone *net = create();
    forward(net);
    api.free(net);
    CHECK(dlclose(library) == 0, "%s", dlerror());
}

static void create_and_free(void) { api.free(create()); }

static void create_use_and_free(void) {
    backbone *net = create();
    forward(net);
    api.free(net);
}

static backbone *shared;

static void *use_and_fail(void *unused) {
    (void)unused;
    forward(shared);
    CHECK(api.forward(shared, NULL, NULL, 0) == BACKBONE_STATUS_INVALID_ARGUMENT, "no failure");
    CHECK(strstr(api.message(), "input") != NULL, "says: %s", api.message());
    return NULL;
}

static void thread_that_ends(void) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, use_and_fail, NULL) == 0, "no thread");
    pthread_join(thread, NULL);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: lifetime LIBRARY.so\n");
        return 2;
    }
    path = argv[1];
    /* malloc counts as given out what it keeps for a thread's next request: a few blocks more or less, by chance. */
    if (getenv("GLIBC_TUNABLES") == NULL) {
        setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
        execv("/proc/self/exe", argv);
        fprintf(stderr, "cannot run itself again\n");
        return 1;
    }
    /* Threads get no heaps of their own, whose number depends on who waits for whom. */
    mallopt(M_ARENA_MAX, 1);
    leaves_nothing("open, use, close", open_use_and_close, 100, 1000);
    open_library();
    leaves_nothing("create, free", create_and_free, 100, 10000);
    leaves_nothing("create, use, free", create_use_and_free, 100, 10000);
    shared = create();
    long threads = measure().threads;
    forward(shared);
    CHECK(measure().threads == threads + 1, "the network of two threads has started no second one");
    leaves_nothing("a thread that uses, fails", thread_that_ends, 100, 1000);
    api.free(shared);
    return failures == 0 ? 0 : 1;
}
