/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

#define _XOPEN_SOURCE 700 /* clock_gettime, M_PI */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "images.h"
#include "training.h"

/* ---- Random numbers --------------------------------------------------------------------------------------------- */

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* Seed and epoch alone decide the order, so that a resumed run has the same one. */
static uint64_t state_of_epoch(int32_t seed, int32_t epoch) {
    uint64_t state = ((uint64_t)seed << 32) + (uint64_t)epoch;
    return next_random(&state);
}

static void shuffle(size_t *order, size_t count, uint64_t *state) {
    for (size_t i = 0; i < count; i++) {
        order[i] = i;
    }
    for (size_t i = count; i > 1; i--) {
        size_t other = (size_t)(next_random(state) % i);
        size_t held = order[other];
        order[other] = order[i - 1];
        order[i - 1] = held;
    }
}

/* ---- Batches ---------------------------------------------------------------------------------------------------- */

/* Sums over the images of an epoch. */
struct score {
    double loss;
    double correct;
    double count;
};

/* The images of a batch that this rank computes: from `first` up to `end`. */
struct share {
    size_t first;
    size_t end;
};

static struct share share_of(const struct training *training, size_t count) {
    size_t rank = (size_t)training->ranks.rank, ranks = (size_t)training->ranks.count;
    return (struct share){count * rank / ranks, count * (rank + 1) / ranks};
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static backbone_tensor input_of(const struct training *training, size_t count) {
    int64_t n = (int64_t)count, size = training->arguments.size;
    return (backbone_tensor){
        training->pixels, BACKBONE_DTYPE_UINT8, 0, {n, 3, size, size}, {size * size * 3, 1, size * 3, 3}};
}

static backbone_tensor logits_of(const struct training *training, size_t count) {
    int64_t n = (int64_t)count, classes = (int64_t)training->images.class_count;
    return (backbone_tensor){training->logits, BACKBONE_DTYPE_FLOAT32, 0, {n, classes, 1, 1}, {classes, 1, 1, 1}};
}

/* Decodes one image to its position in the batch. */
static int load_example(struct training *training, const struct example *example, size_t position, int mirrored) {
    struct image image = {NULL, 0, 0};
    size_t size = (size_t)training->arguments.size;
    if (!read_image(training->arguments.program, example->path, &image)) {
        return 0;
    }
    int done = crop_image(&image, (int64_t)size, mirrored, training->pixels + position * size * size * 3);
    free(image.pixels);
    training->labels[position] = example->label;
    return done ? 1 : no_memory(training);
}

static int is_correct(const float *logits, size_t classes, int64_t label) {
    for (size_t i = 0; i < classes; i++) {
        if (!(logits[i] <= logits[label])) {
            return 0;
        }
    }
    return 1;
}

/* Adds the share to the score, and replaces the logits by the gradients of the loss of the whole batch. */
static int take_loss(struct training *training, size_t count, size_t batch, struct score *score) {
    size_t classes = training->images.class_count;
    for (size_t i = 0; i < count; i++) {
        score->correct += is_correct(training->logits + i * classes, classes, training->labels[i]);
    }
    double loss;
    backbone_tensor logits = logits_of(training, count);
    if (backbone_cross_entropy(&logits, training->labels, count, 0, &loss, &logits) != BACKBONE_STATUS_OK) {
        return report(training, "loss");
    }
    score->loss += loss * (double)count;
    score->count += (double)count;
    /* Means over the share become terms of the mean over the batch. */
    for (size_t i = 0; count != batch && i < count * classes; i++) {
        training->logits[i] *= (float)count / (float)batch;
    }
    return 1;
}

/* Of all ranks. */
static void total(const struct training *training, struct score *score) {
    double values[3] = {score->loss, score->correct, score->count};
    if (training->ranks.sum_doubles != NULL) {
        training->ranks.sum_doubles(values, 3);
    }
    *score = (struct score){values[0], values[1], values[2]};
}

static void print_score(const char *name, const struct score *score) {
    printf("  %sloss %.6f  accuracy %6.2f %%", name, score->loss / score->count, 100 * score->correct / score->count);
}

/* ---- Training --------------------------------------------------------------------------------------------------- */

static size_t smaller(size_t left, size_t right) { return left < right ? left : right; }

/* Of an epoch. A last batch of one image per rank is left out: BatchNorm may need more than one value per channel. */
size_t step_count(const struct training *training) {
    size_t batch = (size_t)training->arguments.batch, rest = training->images.count % batch;
    return training->images.count / batch + (rest >= 2 * (size_t)training->ranks.count);
}

/* Half a cosine from the first step of all epochs to the end of the last one. */
double learning_rate(const struct training *training, int32_t epoch, size_t step) {
    double steps = (double)step_count(training);
    double done = ((double)(epoch - 1) * steps + (double)step) / (steps * training->arguments.epochs);
    return training->arguments.learning_rate * (1 + cos(M_PI * done)) / 2;
}

static int train_step(struct training *training, size_t count, size_t batch, double rate, struct score *score) {
    backbone_tensor input = input_of(training, count), logits = logits_of(training, count);
    if (backbone_forward_train(training->net, training->tape, &input, &logits, 1) != BACKBONE_STATUS_OK) {
        return report(training, "forward");
    }
    if (!take_loss(training, count, batch, score)) {
        return 0;
    }
    if (backbone_backward(training->net, training->tape, &logits, 1, NULL, training->gradients,
                          training->gradient_count, 0) != BACKBONE_STATUS_OK) {
        return report(training, "backward");
    }
    if (training->ranks.sum != NULL) {
        training->ranks.sum(training->gradients, training->gradient_count);
    }
    if (backbone_optimizer_step(training->net, training->optimizer, training->gradients, training->gradient_count,
                                rate, 0) != BACKBONE_STATUS_OK) {
        return report(training, "step");
    }
    return 1;
}

static int train_epoch(struct training *training, int32_t epoch, struct score *score) {
    uint64_t state = state_of_epoch(training->arguments.seed, epoch);
    size_t batch = (size_t)training->arguments.batch;
    shuffle(training->order, training->images.count, &state);
    if (backbone_set_training(training->net, 1) != BACKBONE_STATUS_OK) {
        return report(training, "training mode");
    }
    for (size_t step = 0; step < step_count(training); step++) {
        size_t first = step * batch, count = smaller(batch, training->images.count - first);
        struct share share = share_of(training, count);
        for (size_t i = 0; i < count; i++) {
            /* All ranks draw for all images, so that their number changes nothing. */
            int mirrored = training->arguments.flip && next_random(&state) >> 63;
            const struct example *example = &training->images.examples[training->order[first + i]];
            if (i >= share.first && i < share.end && !load_example(training, example, i - share.first, mirrored)) {
                return 0;
            }
        }
        if (!train_step(training, share.end - share.first, count, learning_rate(training, epoch, step), score)) {
            return 0;
        }
    }
    total(training, score);
    return 1;
}

static int validate(struct training *training, struct score *score) {
    size_t batch = (size_t)training->arguments.batch;
    if (backbone_set_training(training->net, 0) != BACKBONE_STATUS_OK) {
        return report(training, "evaluation mode");
    }
    for (size_t first = 0; first < training->validation.count; first += batch) {
        struct share share = share_of(training, smaller(batch, training->validation.count - first));
        size_t count = share.end - share.first;
        if (count == 0) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            if (!load_example(training, &training->validation.examples[first + share.first + i], i, 0)) {
                return 0;
            }
        }
        backbone_tensor input = input_of(training, count), logits = logits_of(training, count);
        if (backbone_forward(training->net, &input, &logits, 1) != BACKBONE_STATUS_OK) {
            return report(training, "forward");
        }
        if (!take_loss(training, count, count, score)) {
            return 0;
        }
    }
    total(training, score);
    return 1;
}

static int run_epoch(struct training *training, int32_t epoch) {
    struct score score = {0, 0, 0}, validation = {0, 0, 0};
    double start = seconds();
    if (!train_epoch(training, epoch, &score)) {
        return 0;
    }
    double taken = seconds() - start;
    if (!meet(training)) {
        return 0;
    }
    if (training->arguments.validation != NULL && !validate(training, &validation)) {
        return 0;
    }
    if (training->ranks.rank != 0) {
        return 1;
    }
    printf("epoch %3d", (int)epoch);
    print_score("", &score);
    if (validation.count > 0) {
        print_score("validation ", &validation);
    }
    printf("  %8.1f images/s\n", score.count / taken);
    if (fflush(stdout) != 0) {
        perror(training->arguments.program);
        return 0;
    }
    return save(training, epoch);
}

static void print_images(const struct training *training) {
    printf("%zu images, %zu classes:", training->images.count, training->images.class_count);
    for (size_t i = 0; i < training->images.class_count; i++) {
        printf(" %s", training->images.classes[i]);
    }
    printf("\n");
}

int run_epochs(struct training *training) {
    if (training->ranks.rank == 0) {
        print_images(training);
    }
    for (int32_t epoch = training->done + 1; epoch <= training->arguments.epochs; epoch++) {
        if (!run_epoch(training, epoch)) {
            return 0;
        }
    }
    return 1;
}
