/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * Training from C: NULL where the header allows it, and an error where it does not. Runs under valgrind too.
 *
 * Usage: training FILE.pth, which is written and removed
 */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backbone.h"
#include "calls.h"
#include "check.h"

#define CHECK_INVALID(call) CHECK_FAILS(BACKBONE_STATUS_INVALID_ARGUMENT, "", call)

enum { IMAGES = 2, SIZE = 32, CLASSES = 3, PIXELS = IMAGES * 3 * SIZE * SIZE };

static float pixels[PIXELS];
static float values[IMAGES * CLASSES];
static const int64_t labels[IMAGES] = {0, 2};

static const backbone_tensor input = {
    pixels, BACKBONE_DTYPE_FLOAT32, 0, {IMAGES, 3, SIZE, SIZE}, {3 * SIZE * SIZE, SIZE * SIZE, SIZE, 1}};
static const backbone_tensor logits = {
    values, BACKBONE_DTYPE_FLOAT32, 0, {IMAGES, CLASSES, 1, 1}, {CLASSES, 1, 1, 1}};

static backbone *create(void) {
    backbone *net = NULL;
    backbone_options options;
    CHECK_OK(backbone_options_init(&options, sizeof options));
    options.depth = 18;
    options.base_channels = 4;
    options.out_stages = BACKBONE_STAGE_LOGITS;
    options.num_classes = CLASSES;
    options.frozen_stages = 2;
    options.norm_eval = 1;
    options.threads = 2;
    CHECK_OK(backbone_create(&options, &net));
    if (net == NULL) exit(EXIT_FAILURE);
    return net;
}

/* Gradients of one pass, to be freed. */
static float *gradients_of(backbone *net, backbone_tape *tape, size_t *count) {
    CHECK_OK(backbone_trainable_count(net, count));
    float *gradients = malloc(*count * sizeof *gradients);
    if (gradients == NULL) exit(EXIT_FAILURE);
    CHECK_OK(backbone_forward_train(net, tape, &input, &logits, 1));
    CHECK_OK(backbone_cross_entropy(&logits, labels, IMAGES, 0, NULL, &logits));
    CHECK_OK(backbone_backward(net, tape, &logits, 1, NULL, gradients, *count, 0));
    return gradients;
}

static void optional_arguments_may_be_null(const char *path) {
    backbone *net = create();
    backbone_tape *tape = NULL;
    backbone_optimizer *optimizer = NULL;
    size_t count = 0;
    CHECK_OK(backbone_tape_create(net, NULL, &tape));
    CHECK_OK(backbone_optimizer_create(net, NULL, &optimizer));
    float *gradients = gradients_of(net, tape, &count);

    double loss = NAN, norm = NAN;
    CHECK_OK(backbone_cross_entropy(&logits, labels, IMAGES, 0, &loss, NULL));
    CHECK_OK(backbone_cross_entropy(&logits, labels, IMAGES, 0, NULL, NULL));
    CHECK(loss > 0, "%g", loss);
    CHECK_OK(backbone_clip_gradients(net, gradients, count, 0.5, NULL));
    CHECK_OK(backbone_clip_gradients(net, gradients, count, INFINITY, &norm));
    CHECK(norm > 0 && norm < 0.5001, "%g", norm);
    CHECK_OK(backbone_optimizer_step(net, optimizer, gradients, count, 0.1, 0));
    CHECK_OK(backbone_save_training(net, optimizer, path, 0.1));
    CHECK_OK(backbone_load_training(net, optimizer, path, NULL));

    /* An output without a gradient, and a pass of which no gradient is wanted. */
    backbone_tensor nothing = logits;
    nothing.data = NULL;
    CHECK_OK(backbone_forward_train(net, tape, &input, &logits, 1));
    CHECK_OK(backbone_backward(net, tape, &nothing, 1, NULL, gradients, count, 0));
    CHECK(gradients[0] == 0 && gradients[count - 1] == 0, "not zeros");
    CHECK_OK(backbone_forward_train(net, tape, &input, &logits, 1));
    CHECK_OK(backbone_backward(net, tape, &logits, 1, NULL, NULL, 0, 0));
    backbone_tape_free(NULL);
    backbone_optimizer_free(NULL);

    /* Tapes and optimisers may outlive their handle. */
    backbone_free(net);
    backbone_tape_free(tape);
    backbone_optimizer_free(optimizer);
    free(gradients);
    remove(path);
}

static void null_is_an_error_elsewhere(void) {
    backbone *net = create();
    backbone_tape *tape = NULL;
    backbone_optimizer *optimizer = NULL;
    size_t count = 0;
    CHECK_OK(backbone_tape_create(net, NULL, &tape));
    CHECK_OK(backbone_optimizer_create(net, NULL, &optimizer));
    float *gradients = gradients_of(net, tape, &count);

    CHECK_INVALID(backbone_tape_create(net, NULL, NULL));
    backbone_tape *none = tape;
    CHECK_INVALID(backbone_tape_create(NULL, NULL, &none));
    CHECK(none == NULL, "a tape after a failure");
    CHECK_INVALID(backbone_tape_options_init(NULL, sizeof(backbone_tape_options)));
    CHECK_INVALID(backbone_tape_bytes(net, tape, NULL));
    CHECK_INVALID(backbone_tape_bytes(net, NULL, &count));
    CHECK_INVALID(backbone_forward_train(NULL, tape, &input, &logits, 1));
    CHECK_INVALID(backbone_forward_train(net, NULL, &input, &logits, 1));
    CHECK_INVALID(backbone_forward_train(net, tape, NULL, &logits, 1));
    CHECK_INVALID(backbone_forward_train(net, tape, &input, NULL, 1));
    CHECK_INVALID(backbone_backward(net, NULL, &logits, 1, NULL, gradients, count, 0));
    CHECK_INVALID(backbone_backward(net, tape, NULL, 1, NULL, gradients, count, 0));
    CHECK_INVALID(backbone_trainable_count(net, NULL));
    CHECK_INVALID(backbone_trainable_slot(net, 0, NULL, &count));
    CHECK_INVALID(backbone_read_trainable(net, NULL, count));
    CHECK_INVALID(backbone_write_trainable(net, NULL, count));
    CHECK_INVALID(backbone_bind_parameters(net, gradients, count - 1));
    CHECK_INVALID(backbone_parameters_changed(net, &count, 1));
    CHECK_INVALID(backbone_set_trainable(NULL, 0));
    CHECK_INVALID(backbone_cross_entropy(NULL, labels, IMAGES, 0, NULL, NULL));
    CHECK_INVALID(backbone_cross_entropy(&logits, NULL, IMAGES, 0, NULL, NULL));
    CHECK_INVALID(backbone_optimizer_options_init(NULL, sizeof(backbone_optimizer_options), 0));
    CHECK_INVALID(backbone_optimizer_create(net, NULL, NULL));
    CHECK_INVALID(backbone_optimizer_step(net, NULL, gradients, count, 0.1, 0));
    CHECK_INVALID(backbone_optimizer_step(net, optimizer, NULL, count, 0.1, 0));
    CHECK_INVALID(backbone_optimizer_follow(net, NULL));
    CHECK_INVALID(backbone_clip_gradients(NULL, gradients, count, 1, NULL));
    CHECK_INVALID(backbone_clip_gradients(net, NULL, count, 1, NULL));
    CHECK_INVALID(backbone_save_training(net, optimizer, NULL, 0.1));
    CHECK_INVALID(backbone_save_training(net, NULL, "unused.pth", 0.1));
    CHECK_INVALID(backbone_load_training(net, optimizer, NULL, NULL));
    CHECK_INVALID(backbone_load_training(net, NULL, "unused.pth", NULL));
    CHECK_INVALID(backbone_statistics_begin(NULL));
    CHECK_INVALID(backbone_statistics_add(net, NULL));
    CHECK_INVALID(backbone_statistics_commit(NULL));
    CHECK_INVALID(backbone_statistics_cancel(NULL));

    free(gradients);
    backbone_tape_free(tape);
    backbone_optimizer_free(optimizer);
    backbone_free(net);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "Usage: training FILE.pth\n");
        return 2;
    }
    for (int i = 0; i < PIXELS; i++) pixels[i] = (float)(i * 7919 % 1000) / 500 - 1;
    optional_arguments_may_be_null(argv[1]);
    null_is_an_error_elsewhere();
    if (failures == 0) printf("Training takes its optional arguments and refuses NULL elsewhere.\n");
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
