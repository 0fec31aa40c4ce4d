/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * A library that a binding loads in place of libbackbone: it hands every call on, and counts. The file that COUNTS
 * names always holds: networks, tapes and optimisers created and freed, reports given and freed, and uses and frees of
 * those that do not exist, or that a call is still in. A forward pass first sleeps for SLEEP milliseconds, to give
 * collectors and other threads their time.
 */

#define _GNU_SOURCE /* RTLD_NEXT */

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backbone.h"

enum { OBJECTS = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    const void *object;
    int calls;
} objects[OBJECTS];
static int created, freed, reports, reports_freed, wrong;

/* The function of the real library. */
#define NEXT(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

/* The place of an object, or of a free place for NULL; -1 if it has none. */
static int find(const void *object) {
    for (int i = 0; i < OBJECTS; i++)
        if (objects[i].object == object) return i;
    return -1;
}

/* Not at the end of the process: not every runtime runs destructors of libraries. The process may end meanwhile. */
static void unlock_and_write(void) {
    const char *path = getenv("COUNTS");
    char temporary[4096];
    if (path == NULL) abort();
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen(temporary, "w");
    if (file == NULL) abort();
    fprintf(file, "%d %d %d %d %d\n", created, freed, reports, reports_freed, wrong);
    fclose(file);
    if (rename(temporary, path) != 0) abort();
    pthread_mutex_unlock(&lock);
}

static void count(const void *object, const backbone_report *report) {
    pthread_mutex_lock(&lock);
    if (report != NULL) reports++;
    if (object != NULL) {
        int place = find(NULL);
        if (place < 0) abort();
        objects[place].object = object;
        created++;
    }
    unlock_and_write();
}

static void use(const void *object, int calls) {
    pthread_mutex_lock(&lock);
    int place = object == NULL ? -1 : find(object);
    if (place >= 0)
        objects[place].calls += calls;
    else
        wrong++;
    unlock_and_write();
}

BACKBONE_API backbone_status backbone_create(const backbone_options *options, backbone **out) {
    backbone_status status = NEXT(backbone_create)(options, out);
    count(*out, NULL);
    return status;
}

BACKBONE_API backbone_status backbone_create_from_file(const char *path, const backbone_options *options,
                                                       const backbone_load_options *load_options, backbone **out,
                                                       backbone_report **out_report) {
    backbone_status status = NEXT(backbone_create_from_file)(path, options, load_options, out, out_report);
    count(*out, *out_report);
    return status;
}

BACKBONE_API backbone_status backbone_load_weights_with(backbone *net, const char *path,
                                                        const backbone_load_options *options,
                                                        backbone_report **out_report) {
    backbone_status status = NEXT(backbone_load_weights_with)(net, path, options, out_report);
    count(NULL, *out_report);
    return status;
}

BACKBONE_API backbone_status backbone_forward(backbone *net, const backbone_tensor *input,
                                              const backbone_tensor *outputs, size_t size) {
    use(net, 1);
    usleep((useconds_t)atoi(getenv("SLEEP")) * 1000);
    backbone_status status = NEXT(backbone_forward)(net, input, outputs, size);
    use(net, -1);
    return status;
}

BACKBONE_API void backbone_report_free(backbone_report *report) {
    if (report == NULL) return;
    pthread_mutex_lock(&lock);
    reports_freed++;
    unlock_and_write();
    NEXT(backbone_report_free)(report);
}

/* Whether an object may be freed, and if so, forgets it. */
static int release(const void *object) {
    if (object == NULL) return 0;
    pthread_mutex_lock(&lock);
    int place = find(object), allowed = place >= 0 && objects[place].calls == 0;
    if (allowed) {
        objects[place].object = NULL;
        freed++;
    } else {
        wrong++;
    }
    unlock_and_write();
    return allowed;
}

BACKBONE_API void backbone_free(backbone *net) {
    if (release(net)) NEXT(backbone_free)(net);
}

BACKBONE_API backbone_status backbone_tape_create(const backbone *net, const backbone_tape_options *options,
                                                  backbone_tape **out) {
    backbone_status status = NEXT(backbone_tape_create)(net, options, out);
    count(*out, NULL);
    return status;
}

BACKBONE_API void backbone_tape_free(backbone_tape *tape) {
    if (release(tape)) NEXT(backbone_tape_free)(tape);
}

BACKBONE_API backbone_status backbone_optimizer_create(const backbone *net, const backbone_optimizer_options *options,
                                                       backbone_optimizer **out) {
    backbone_status status = NEXT(backbone_optimizer_create)(net, options, out);
    count(*out, NULL);
    return status;
}

BACKBONE_API void backbone_optimizer_free(backbone_optimizer *optimizer) {
    if (release(optimizer)) NEXT(backbone_optimizer_free)(optimizer);
}

BACKBONE_API backbone_status backbone_forward_train(backbone *net, backbone_tape *tape, const backbone_tensor *input,
                                                    const backbone_tensor *outputs, size_t size) {
    use(net, 1);
    use(tape, 1);
    usleep((useconds_t)atoi(getenv("SLEEP")) * 1000);
    backbone_status status = NEXT(backbone_forward_train)(net, tape, input, outputs, size);
    use(tape, -1);
    use(net, -1);
    return status;
}

BACKBONE_API backbone_status backbone_optimizer_step(backbone *net, backbone_optimizer *optimizer,
                                                     const float *gradients, size_t size, double learning_rate,
                                                     uint32_t flags) {
    use(net, 1);
    use(optimizer, 1);
    usleep((useconds_t)atoi(getenv("SLEEP")) * 1000);
    backbone_status status = NEXT(backbone_optimizer_step)(net, optimizer, gradients, size, learning_rate, flags);
    use(optimizer, -1);
    use(net, -1);
    return status;
}
