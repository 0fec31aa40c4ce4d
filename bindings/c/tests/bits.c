/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * The same bits everywhere: hashes of features, gradients and weights, as they are stored for every instruction set
 * that kernels are written for. Only what another compiler, CPU or number of threads must not change is in them.
 *
 * Usage: bits FILE    compares with the hashes in FILE
 *        bits         prints them, as FILE has them
 *
 * On a CPU without any of those instruction sets OpenBLAS computes, with bits of its own: the status is then 77.
 *
 * A change that is meant to change bits stores them anew: `bits > bindings/c/tests/bits.txt`.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backbone.h"
#include "calls.h"
#include "check.h"

enum { MOST_OUTPUTS = 4, THREADS = 2 };

/* What is computed: a network, its input, and how. */
typedef struct {
    const char *architecture;
    int32_t base_channels;
    int64_t shape[4];
    int32_t norm; /* BACKBONE_NORM_*, or 0 for the architecture's */
} job;

/* Small ones, since an emulated CPU has to compute them too. */
static const job forward_jobs[] = {
    {"resnet18", 32, {2, 3, 19, 25}, 0},     {"resnet18", 64, {1, 3, 33, 47}, 0},
    {"resnet34", 16, {1, 3, 65, 97}, 0},     {"resnet50", 32, {1, 3, 33, 47}, 0},
    {"resnet50", 16, {1, 3, 97, 65}, 0},     {"resnext50_32x4d", 32, {1, 3, 33, 31}, 0},
    {"resnetv2_50", 16, {1, 3, 63, 49}, 0},  {"seresnet50", 16, {1, 3, 45, 64}, 0},
    {"resnetblur50", 16, {1, 3, 64, 67}, 0}, {"resnet50", 32, {1, 3, 32, 40}, BACKBONE_NORM_GROUP},
};

static const job training_jobs[] = {
    {"resnet18", 16, {2, 3, 64, 48}, 0},        {"resnet50", 16, {2, 3, 33, 47}, 0},
    {"resnext50_32x4d", 16, {2, 3, 32, 32}, 0}, {"resnetv2_50", 16, {2, 3, 32, 40}, 0},
    {"seresnet50", 16, {2, 3, 40, 32}, 0},      {"resnet18", 32, {2, 3, 40, 32}, BACKBONE_NORM_GROUP},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static FILE *stored;
static size_t lines;

/* ---- Numbers ---------------------------------------------------------------------------------------------------- */

/* FNV-1a of so many bytes. */
static uint64_t hash_of(const void *bytes, size_t size) {
    const unsigned char *next = bytes;
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < size; i++) hash = (hash ^ next[i]) * 0x100000001b3;
    return hash;
}

static void *allocate(size_t size) {
    void *memory = calloc(1, size);
    if (memory == NULL) {
        fputs("bits: no memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    return memory;
}

/* Values from middle - reach to middle + reach, by integers and single roundings: the same ones on every machine. */
static void fill(float *values, size_t count, uint32_t seed, float middle, float reach) {
    for (size_t i = 0; i < count; i++) {
        uint32_t x = ((uint32_t)i * 0x9e3779b1u) ^ (seed * 0x85ebca6bu);
        x = (x ^ x >> 16) * 0x7feb352du;
        x = (x ^ x >> 15) * 0x846ca68bu;
        x ^= x >> 16;
        float unit = (float)((int32_t)(x >> 8) - (1 << 23)) * 0x1p-23f;
        float scaled = unit * reach;
        values[i] = scaled + middle;
    }
}

static size_t count_of(const int64_t shape[4]) { return (size_t)(shape[0] * shape[1] * shape[2] * shape[3]); }

/* ---- Comparing -------------------------------------------------------------------------------------------------- */

/* Prints or compares a line: the hashes of some results under a name. */
static void report(const char *name, const uint64_t *hashes, size_t count) {
    char line[256], expected[256];
    int length = snprintf(line, sizeof line, "%s:", name);
    for (size_t i = 0; i < count; i++)
        length += snprintf(line + length, sizeof line - (size_t)length, " %016llx", (unsigned long long)hashes[i]);
    lines++;
    if (stored == NULL) {
        puts(line);
        fflush(stdout);
        return;
    }
    if (fgets(expected, sizeof expected, stored) == NULL) strcpy(expected, "nothing");
    expected[strcspn(expected, "\n")] = 0;
    CHECK(strcmp(line, expected) == 0, "\n  %s, stored is\n  %s", line, expected);
}

static void name_of(const job *job, const char *suffix, char out[128]) {
    snprintf(out, 128, "%s/%d%s %dx%dx%d %s", job->architecture, (int)job->base_channels,
             job->norm == BACKBONE_NORM_GROUP ? " group norm" : "", (int)job->shape[0], (int)job->shape[2],
             (int)job->shape[3], suffix);
}

/* ---- Networks --------------------------------------------------------------------------------------------------- */

static backbone *create(const job *job, int32_t arithmetic, int32_t threads) {
    backbone *net = NULL;
    backbone_options options;
    CHECK_OK(backbone_options_init(&options, sizeof options));
    options.depth = 0;
    options.architecture = job->architecture;
    options.base_channels = job->base_channels;
    options.norm = job->norm;
    options.arithmetic = arithmetic;
    options.threads = threads;
    CHECK_OK(backbone_create(&options, &net));
    if (net == NULL) exit(EXIT_FAILURE);

    /* All weights by formula, norms as training leaves them: the initial ones are much work for an emulated CPU, and 1
     * and 0 too simple. */
    size_t count = 0;
    CHECK_OK(backbone_entry_count(net, &count));
    for (size_t i = 0; i < count; i++) {
        backbone_entry_info info;
        CHECK_OK(backbone_get_entry_info(net, i, &info));
        if (info.dtype != BACKBONE_DTYPE_FLOAT32) continue;
        size_t size = count_of(info.shape);
        float middle = 0, reach = 0.25f;
        if (info.ndim > 1) {
            /* A power of two, so that products with it are exact, near Kaiming's bound. */
            float fan_out = (float)(info.shape[0] * info.shape[2] * info.shape[3]);
            for (reach = 1; reach * reach * fan_out > 6; reach *= 0.5f) continue;
        } else if (strstr(info.name, "running_var") != NULL) {
            middle = 1, reach = 0.5f;
        } else if (strstr(info.name, "weight") != NULL) {
            middle = 0.625f, reach = 0.5f;
        }
        float *values = allocate(size * sizeof *values);
        fill(values, size, (uint32_t)i, middle, reach);
        CHECK_OK(backbone_write_entry(net, i, values, size * sizeof *values));
        free(values);
    }
    return net;
}

static backbone_tensor nchw(float *data, const int64_t shape[4]) {
    backbone_tensor tensor = {data, BACKBONE_DTYPE_FLOAT32, 0, {shape[0], shape[1], shape[2], shape[3]},
                              {shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1}};
    return tensor;
}

/* An image, and room for the outputs of a network, to be freed with free_tensors. */
typedef struct {
    backbone_tensor input;
    backbone_tensor outputs[MOST_OUTPUTS];
} tensors;

static tensors tensors_for(const backbone *net, const job *job) {
    tensors all;
    int64_t shapes[MOST_OUTPUTS][4];
    CHECK_OK(backbone_output_shapes(net, job->shape, shapes[0], MOST_OUTPUTS));
    all.input = nchw(allocate(count_of(job->shape) * sizeof(float)), job->shape);
    fill(all.input.data, count_of(job->shape), 99, 0, 2);
    for (size_t i = 0; i < MOST_OUTPUTS; i++)
        all.outputs[i] = nchw(allocate(count_of(shapes[i]) * sizeof(float)), shapes[i]);
    return all;
}

static void free_tensors(tensors *all) {
    free(all->input.data);
    for (size_t i = 0; i < MOST_OUTPUTS; i++) free(all->outputs[i].data);
}

static void hash_outputs(const tensors *all, uint64_t *hashes) {
    for (size_t i = 0; i < MOST_OUTPUTS; i++)
        hashes[i] = hash_of(all->outputs[i].data, count_of(all->outputs[i].shape) * sizeof(float));
}

/* Whether one of the kernels with stored hashes computes, as the profile names them. */
static int has_vectors(void) {
    enum { MOST_LAYERS = 256 };
    backbone *net = create(forward_jobs, BACKBONE_ARITHMETIC_DIRECT, 1);
    tensors all = tensors_for(net, forward_jobs);
    backbone_layer *layers = allocate(MOST_LAYERS * sizeof *layers);
    size_t count = 0;
    int found = 1;
    CHECK_OK(backbone_profile(net, &all.input, all.outputs, MOST_OUTPUTS, layers, MOST_LAYERS, &count));
    CHECK(count > 0, "no layers");
    for (size_t i = 0; i < count; i++) found &= strstr(layers[i].kernel, "openblas") == NULL;
    free(layers);
    free_tensors(&all);
    backbone_free(net);
    return found;
}

/* ---- What is compared ------------------------------------------------------------------------------------------- */

static void initial_weights(void) {
    const job job = {"resnet50", 8, {0}, 0};
    backbone *net = create(&job, BACKBONE_ARITHMETIC_FAST, 1);
    size_t count = 0;
    CHECK_OK(backbone_init_weights(net, 3));
    CHECK_OK(backbone_trainable_count(net, &count));
    float *values = allocate(count * sizeof *values);
    CHECK_OK(backbone_read_trainable(net, values, count));
    uint64_t hash = hash_of(values, count * sizeof *values);
    report("resnet50/8 initial weights", &hash, 1);
    free(values);
    backbone_free(net);
}

/* Fast with two threads and direct with one, and the first network both ways. */
static void features(const job *job, int32_t arithmetic) {
    char name[128];
    uint64_t hashes[THREADS][MOST_OUTPUTS];
    int32_t usual = arithmetic == BACKBONE_ARITHMETIC_FAST ? THREADS : 1;
    for (int32_t threads = 1; threads <= THREADS; threads++) {
        if (threads != usual && job != forward_jobs) continue;
        backbone *net = create(job, arithmetic, threads);
        tensors all = tensors_for(net, job);
        CHECK_OK(backbone_forward(net, &all.input, all.outputs, MOST_OUTPUTS));
        hash_outputs(&all, hashes[threads - 1]);
        free_tensors(&all);
        backbone_free(net);
    }
    name_of(job, arithmetic == BACKBONE_ARITHMETIC_FAST ? "fast" : "direct", name);
    CHECK(job != forward_jobs || memcmp(hashes[0], hashes[1], sizeof hashes[0]) == 0, "%s depends on threads", name);
    report(name, hashes[usual - 1], MOST_OUTPUTS);
}

/* Outputs, gradients of the parameters and of the input, and the parameters after steps of an optimiser. */
static void training(const job *job, int32_t arithmetic, int32_t kind) {
    enum { STEPS = 2, RESULTS = MOST_OUTPUTS + 3 };
    char name[128];
    uint64_t hashes[RESULTS];
    size_t count = 0;
    backbone *net = create(job, arithmetic, THREADS);
    backbone_tape *tape = NULL;
    backbone_tape_options tape_options;
    backbone_optimizer *optimizer = NULL;
    backbone_optimizer_options options;
    CHECK_OK(backbone_set_training(net, 1));
    CHECK_OK(backbone_tape_options_init(&tape_options, sizeof tape_options));
    tape_options.input_gradient = 1;
    CHECK_OK(backbone_tape_create(net, &tape_options, &tape));
    CHECK_OK(backbone_optimizer_options_init(&options, sizeof options, kind));
    options.momentum = kind == BACKBONE_OPTIMIZER_SGD ? 0.9 : 0;
    CHECK_OK(backbone_optimizer_create(net, &options, &optimizer));
    CHECK_OK(backbone_trainable_count(net, &count));
    float *gradients = allocate(count * sizeof *gradients);
    tensors all = tensors_for(net, job), back = tensors_for(net, job);
    for (int step = 0; step < STEPS; step++) {
        for (uint32_t i = 0; i < MOST_OUTPUTS; i++)
            fill(back.outputs[i].data, count_of(back.outputs[i].shape), i, 0, 0x1p-6f);
        CHECK_OK(backbone_forward_train(net, tape, &all.input, all.outputs, MOST_OUTPUTS));
        CHECK_OK(backbone_backward(net, tape, back.outputs, MOST_OUTPUTS, &back.input, gradients, count, 0));
        hash_outputs(&all, hashes);
        hashes[MOST_OUTPUTS] = hash_of(gradients, count * sizeof *gradients);
        hashes[MOST_OUTPUTS + 1] = hash_of(back.input.data, count_of(job->shape) * sizeof(float));
        CHECK_OK(backbone_optimizer_step(net, optimizer, gradients, count, 0x1p-8, 0));
    }
    CHECK_OK(backbone_read_trainable(net, gradients, count));
    hashes[MOST_OUTPUTS + 2] = hash_of(gradients, count * sizeof *gradients);
    name_of(job, arithmetic == BACKBONE_ARITHMETIC_FAST ? "training fast" : "training direct", name);
    report(name, hashes, RESULTS);
    free_tensors(&all);
    free_tensors(&back);
    free(gradients);
    backbone_optimizer_free(optimizer);
    backbone_tape_free(tape);
    backbone_free(net);
}

int main(int count, char **arguments) {
    if (count > 2 || (count == 2 && (stored = fopen(arguments[1], "r")) == NULL)) {
        fputs("usage: bits [FILE]\n", stderr);
        return 2;
    }
    if (!has_vectors()) {
        puts("no vector kernels on this CPU");
        return 77;
    }
    initial_weights();
    for (size_t i = 0; i < COUNT(forward_jobs); i++) {
        features(&forward_jobs[i], BACKBONE_ARITHMETIC_FAST);
        features(&forward_jobs[i], BACKBONE_ARITHMETIC_DIRECT);
    }
    for (size_t i = 0; i < COUNT(training_jobs); i++) {
        training(&training_jobs[i], BACKBONE_ARITHMETIC_FAST, BACKBONE_OPTIMIZER_SGD);
        training(&training_jobs[i], BACKBONE_ARITHMETIC_DIRECT, BACKBONE_OPTIMIZER_ADAMW);
    }
    if (stored != NULL) {
        CHECK(fgetc(stored) == EOF, "more hashes are stored than the %zu compared", lines);
        fclose(stored);
        if (failures == 0) printf("%zu lines of hashes agree\n", lines);
    }
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
