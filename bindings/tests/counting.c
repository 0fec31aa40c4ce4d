/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * A library that a binding loads in place of libbackbone: it hands every call on, and counts. The file that COUNTS
 * names always holds: networks created and freed, reports given and freed, and uses and frees of networks that are
 * none, or that a call is still in. A forward first sleeps as many milliseconds as SLEEP says, to give collectors and
 * other threads their time.
 */

#define _GNU_SOURCE /* RTLD_NEXT */

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backbone.h"

enum { NETWORKS = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    backbone *net;
    int calls;
} networks[NETWORKS];
static int created, freed, reports, reports_freed, wrong;

/* The function of the real library. */
#define NEXT(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

/* The place of a network, or of a free place for NULL; -1 if there is none. */
static int find(const backbone *net) {
    for (int i = 0; i < NETWORKS; i++)
        if (networks[i].net == net) return i;
    return -1;
}

/* Not at the end of the process: not every runtime runs destructors of libraries. */
static void unlock_and_write(void) {
    const char *path = getenv("COUNTS");
    FILE *file = path == NULL ? NULL : fopen(path, "w");
    if (file == NULL) abort();
    fprintf(file, "%d %d %d %d %d\n", created, freed, reports, reports_freed, wrong);
    fclose(file);
    pthread_mutex_unlock(&lock);
}

static void count(backbone *net, const backbone_report *report) {
    pthread_mutex_lock(&lock);
    if (report != NULL) reports++;
    if (net != NULL) {
        int place = find(NULL);
        if (place < 0) abort();
        networks[place].net = net;
        created++;
    }
    unlock_and_write();
}

static void use(const backbone *net, int calls) {
    pthread_mutex_lock(&lock);
    int place = net == NULL ? -1 : find(net);
    if (place >= 0)
        networks[place].calls += calls;
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

BACKBONE_API void backbone_free(backbone *net) {
    if (net == NULL) return;
    pthread_mutex_lock(&lock);
    int place = find(net), allowed = place >= 0 && networks[place].calls == 0;
    if (allowed) {
        networks[place].net = NULL;
        freed++;
    } else {
        wrong++;
    }
    unlock_and_write();
    if (allowed) NEXT(backbone_free)(net);
}
