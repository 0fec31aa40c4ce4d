/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * How many threads a network of default options has where the system leaves this process so many CPUs.
 *
 * Usage: processors EXPECTED-THREADS
 *
 * The number is that of the handle, and of the threads in the process after a forward pass. It is found anew
 * for each handle: another one, made after the process has bound itself to one CPU, runs alone and computes the same.
 */

#define _GNU_SOURCE /* sched_setaffinity */

#include <dirent.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "backbone.h"
#include "check.h"

enum { SIZE = 64, C2 = 8 * SIZE / 4 * SIZE / 4 };

static backbone *create(void) {
    backbone *net = NULL;
    backbone_options options;
    backbone_options_init(&options, sizeof options);
    options.depth = 18;
    options.base_channels = 8;
    options.out_stages = BACKBONE_STAGE_C2;
    CHECK(backbone_create(&options, &net) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
    return net;
}

static int threads_of(const backbone *net) {
    backbone_options options = {.struct_size = sizeof options};
    CHECK(backbone_get_options(net, &options) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
    return options.threads;
}

static void forward(backbone *net, float *features) {
    static float pixels[3 * SIZE * SIZE];
    for (int i = 0; i < 3 * SIZE * SIZE; i++) pixels[i] = (float)(i % 17) - 8;
    backbone_tensor image = {pixels, BACKBONE_DTYPE_FLOAT32, 0, {1, 3, SIZE, SIZE},
                             {3 * SIZE * SIZE, SIZE * SIZE, SIZE, 1}};
    backbone_tensor c2 = {features, BACKBONE_DTYPE_FLOAT32, 0, {1, 8, SIZE / 4, SIZE / 4},
                          {C2, SIZE * SIZE / 16, SIZE / 4, 1}};
    CHECK(backbone_forward(net, &image, &c2, 1) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
}

static int threads_of_process(void) {
    int count = -2;
    DIR *tasks = opendir("/proc/self/task");
    while (tasks != NULL && readdir(tasks) != NULL) count++;
    if (tasks != NULL) closedir(tasks);
    return count;
}

static void bind_to_one_cpu(void) {
    cpu_set_t allowed, one;
    CHECK(sched_getaffinity(0, sizeof allowed, &allowed) == 0, "no affinity mask");
    int cpu = 0;
    while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &allowed)) cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0, "cannot be bound to CPU %d", cpu);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: processors EXPECTED-THREADS\n");
        return 2;
    }
    int expected = atoi(argv[1]);
    static float features[C2], others[C2];

    cpu_set_t allowed, now;
    CHECK(sched_getaffinity(0, sizeof allowed, &allowed) == 0, "no affinity mask");
    /* An emulator has one of its own. */
    int first = threads_of_process();
    backbone *net = create();
    /* OpenBLAS, where it is needed, starts threads of its own when it is loaded, but none with a single CPU. */
    int before = threads_of_process();
    CHECK(expected > 1 || before == first, "%d, not %d", before, first);
    CHECK(sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&allowed, &now), "another affinity mask");
    forward(net, features);
    int started = threads_of_process() - before;
    CHECK(threads_of(net) == expected, "%d", threads_of(net));
    CHECK(started == expected - 1, "%d started", started);

    bind_to_one_cpu();
    backbone *alone = create();
    CHECK(threads_of(alone) == 1, "%d", threads_of(alone));
    CHECK(threads_of(net) == expected, "%d", threads_of(net));
    before = threads_of_process();
    forward(alone, others);
    CHECK(threads_of_process() == before, "%d instead of %d", threads_of_process(), before);
    CHECK(memcmp(features, others, sizeof features) == 0, "other bits");
    forward(net, others);
    CHECK(memcmp(features, others, sizeof features) == 0, "other bits");

    if (failures == 0) printf("%d as expected\n", expected);
    backbone_free(alone);
    backbone_free(net);
    return failures == 0 ? 0 : 1;
}
