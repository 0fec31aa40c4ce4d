/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * What the worker of libbackbone does when it starts, without Python: loads a checkpoint, does a first forward pass at
 * 224 x 224, prints the time of both as JSON, and waits for the end of its standard input.
 *
 *     startup WEIGHTS DEPTH THREADS
 */

#define _POSIX_C_SOURCE 199309L /* clock_gettime */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "backbone.h"

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int failed(const char *what) {
    printf("{\"error\": \"%s\"}\n", what);
    fprintf(stderr, "%s: %s\n", what, backbone_last_error_message());
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 4) return failed("usage: startup WEIGHTS DEPTH THREADS");
    int64_t start = nanoseconds();
    backbone *net = NULL;
    backbone_options options;
    backbone_options_init(&options, sizeof options);
    options.depth = atoi(argv[2]);
    options.threads = atoi(argv[3]);
    if (backbone_create(&options, &net) != BACKBONE_STATUS_OK) return failed("backbone_create");
    if (backbone_load_weights(net, argv[1], 1, NULL) != BACKBONE_STATUS_OK) return failed("backbone_load_weights");
    int64_t loaded = nanoseconds();

    float *pixels = malloc(3 * 224 * 224 * sizeof *pixels);
    if (!pixels) return failed("malloc");
    for (int i = 0; i < 3 * 224 * 224; i++) pixels[i] = (float)(i * 37 % 255) / 64 - 2;
    backbone_tensor image = {pixels, BACKBONE_DTYPE_FLOAT32, 0, {1, 3, 224, 224}, {150528, 50176, 224, 1}};
    int64_t shapes[4][4];
    if (backbone_output_shapes(net, image.shape, &shapes[0][0], 4) != BACKBONE_STATUS_OK)
        return failed("backbone_output_shapes");
    backbone_tensor features[4];
    for (int i = 0; i < 4; i++) {
        int64_t c = shapes[i][1], h = shapes[i][2], w = shapes[i][3];
        float *memory = malloc((size_t)(c * h * w) * sizeof *memory);
        if (!memory) return failed("malloc");
        features[i] = (backbone_tensor){memory, BACKBONE_DTYPE_FLOAT32, 0, {1, c, h, w}, {c * h * w, h * w, w, 1}};
    }
    int64_t before = nanoseconds();
    if (backbone_forward(net, &image, features, 4) != BACKBONE_STATUS_OK) return failed("backbone_forward");
    int64_t after = nanoseconds();

    printf("{\"load_ns\": %lld, \"first_ns\": %lld}\n", (long long)(loaded - start), (long long)(after - before));
    fflush(stdout);
    while (getchar() != EOF) {}
    for (int i = 0; i < 4; i++) free(features[i].data);
    free(pixels);
    backbone_free(net);
    return 0;
}
