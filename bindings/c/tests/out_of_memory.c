/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * Lets the library's allocations fail, each in turn and all from each one on, and expects a status instead of the end
 * of the process, and a handle that is as it was.
 *
 *     out_of_memory             every call of the library that allocates
 *     out_of_memory FOLDER...   loads of every file of these folders, sound or hostile
 *
 * The library allocates only through posix_memalign, which this program replaces.
 */

#define _GNU_SOURCE /* RTLD_NEXT */

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backbone.h"
#include "check.h"

/* ---- Allocations that fail -------------------------------------------------------------------------------------- */

static long countdown = -1; /* allocations until one fails; -1: none does */
static int persistent;      /* all from that one on fail */
static int has_failed;
static long allocations;

int posix_memalign(void **out, size_t alignment, size_t size) {
    static int (*next)(void **, size_t, size_t);
    if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, "posix_memalign");
    allocations++;
    if (countdown == 0) {
        has_failed = 1;
        if (!persistent) countdown = -1;
        return 12; /* ENOMEM */
    }
    if (countdown > 0) countdown--;
    return next(out, alignment, size);
}

/* ---- What is tried ---------------------------------------------------------------------------------------------- */

enum { SIDE = 40, BATCH = 2, PIXELS = BATCH * 3 * SIDE * SIDE };

static float pixels[PIXELS];
static float features[4][BATCH * 64 * 10 * 10];
static char path[] = "/tmp/backbone-XXXXXX";
static char zip_path[] = "/tmp/backbone-XXXXXX.pth";
static unsigned char *checkpoint; /* a zip */
static size_t checkpoint_size;

/* The number of threads is given: a create that finds it out can do without the memory to read about quotas. */
static backbone_status create_into(backbone **out) {
    backbone_options options;
    backbone_options_init(&options, sizeof options);
    options.depth = 18;
    options.base_channels = 8; /* enough for Winograd's arithmetic in the later stages */
    options.threads = 2;
    return backbone_create(&options, out);
}

static backbone *create(void) {
    backbone *net = NULL;
    CHECK(create_into(&net) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
    return net;
}

static backbone_status forward(backbone *net) {
    backbone_tensor image = {pixels, BACKBONE_DTYPE_FLOAT32, 0, {BATCH, 3, SIDE, SIDE},
                             {3 * SIDE * SIDE, SIDE * SIDE, SIDE, 1}};
    int64_t shapes[4][4];
    backbone_status status = backbone_output_shapes(net, image.shape, &shapes[0][0], 4);
    if (status != BACKBONE_STATUS_OK) return status;
    backbone_tensor outputs[4];
    for (int i = 0; i < 4; i++) {
        const int64_t *s = shapes[i];
        backbone_tensor tensor = {features[i], BACKBONE_DTYPE_FLOAT32, 0, {s[0], s[1], s[2], s[3]},
                                  {s[1] * s[2] * s[3], s[2] * s[3], s[3], 1}};
        outputs[i] = tensor;
    }
    return backbone_forward(net, &image, outputs, 4);
}

/* Each gets a fresh network and returns the status of the one call that may fail. */
static backbone_status try_create(backbone *net) {
    (void)net;
    backbone *created = NULL;
    backbone_status status = create_into(&created);
    CHECK((created != NULL) == (status == BACKBONE_STATUS_OK), "status %d", (int)status);
    backbone_free(created);
    return status;
}
static backbone_status try_init(backbone *net) { return backbone_init_weights(net, 7); }
static backbone_status try_forward(backbone *net) { return forward(net); }
static backbone_status try_training(backbone *net) {
    backbone_set_training(net, 1);
    backbone_status status = forward(net);
    backbone_set_training(net, 0);
    return status;
}
static backbone_status try_read(backbone *net) {
    float values[8];
    size_t index = 0;
    backbone_find_entry(net, "bn1.weight", &index);
    return backbone_read_entry(net, index, values, sizeof values);
}
static backbone_status try_write(backbone *net) {
    float values[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    size_t index = 0;
    backbone_find_entry(net, "bn1.weight", &index);
    return backbone_write_entry(net, index, values, sizeof values);
}
static backbone_status load(backbone *net, const char *from) {
    backbone_report *report = NULL;
    backbone_status status = backbone_load_weights(net, from, 1, &report);
    CHECK((report != NULL) == (status == BACKBONE_STATUS_OK), "status %d", (int)status);
    backbone_report_free(report);
    return status;
}
static backbone_status try_load(backbone *net) { return load(net, path); }
static backbone_status try_load_zip(backbone *net) { return load(net, zip_path); }
/* With a stem that is converted, which needs memory of its own. */
static backbone_status try_load_with(backbone *net) {
    static const int32_t channels[] = {2, 1, 0};
    backbone_load_options options;
    backbone_load_options_init(&options, sizeof options);
    options.input_channels = BACKBONE_INPUT_CHANNELS_MAP;
    options.channel_map = channels;
    options.channel_map_length = 3;
    return backbone_load_weights_with(net, path, &options, NULL);
}
static backbone_status try_inspect(backbone *net) {
    (void)net;
    backbone_report *report = NULL;
    backbone_status status = backbone_inspect(path, NULL, &report);
    CHECK((report != NULL) == (status == BACKBONE_STATUS_OK), "status %d", (int)status);
    backbone_report_free(report);
    return status;
}
static backbone_status try_create_from_file(backbone *net) {
    (void)net;
    backbone *other = NULL;
    backbone_report *report = NULL;
    backbone_options options;
    backbone_options_init(&options, sizeof options);
    /* Where the CPUs cannot be counted for want of memory, their number is a guess and no error. */
    options.threads = 2;
    backbone_status status = backbone_create_from_file(path, &options, NULL, &other, &report);
    CHECK((other != NULL) == (status == BACKBONE_STATUS_OK), "status %d", (int)status);
    CHECK((report != NULL) == (status == BACKBONE_STATUS_OK), "status %d", (int)status);
    backbone_report_free(report);
    backbone_free(other);
    return status;
}
static backbone_status try_load_from_memory(backbone *net) {
    backbone_report *report = NULL;
    backbone_status status = backbone_load_weights_from_memory(net, checkpoint, checkpoint_size, NULL, &report);
    CHECK((report != NULL) == (status == BACKBONE_STATUS_OK), "status %d", (int)status);
    backbone_report_free(report);
    return status;
}
static backbone_status try_inspect_memory(backbone *net) {
    (void)net;
    backbone_report *report = NULL;
    backbone_status status = backbone_inspect_memory(checkpoint, checkpoint_size, NULL, &report);
    CHECK((report != NULL) == (status == BACKBONE_STATUS_OK), "status %d", (int)status);
    backbone_report_free(report);
    return status;
}
static backbone_status try_create_from_memory(backbone *net) {
    (void)net;
    backbone *other = NULL;
    backbone_options options;
    backbone_options_init(&options, sizeof options);
    options.threads = 2; /* as above */
    backbone_status status = backbone_create_from_memory(checkpoint, checkpoint_size, &options, NULL, &other, NULL);
    CHECK((other != NULL) == (status == BACKBONE_STATUS_OK), "status %d", (int)status);
    backbone_free(other);
    return status;
}

/* ---- Training --------------------------------------------------------------------------------------------------- */

static char training_path[] = "/tmp/backbone-XXXXXX.pth";
static float *gradients;
static size_t gradient_count;

/* An image batch, and tensors of its outputs in `features`. */
static backbone_tensor describe(const backbone *net, backbone_tensor outputs[4]) {
    backbone_tensor image = {pixels, BACKBONE_DTYPE_FLOAT32, 0, {BATCH, 3, SIDE, SIDE},
                             {3 * SIDE * SIDE, SIDE * SIDE, SIDE, 1}};
    int64_t shapes[4][4];
    CHECK(backbone_output_shapes(net, image.shape, &shapes[0][0], 4) == BACKBONE_STATUS_OK, "%s",
          backbone_last_error_message());
    for (int i = 0; i < 4; i++) {
        const int64_t *s = shapes[i];
        backbone_tensor tensor = {features[i], BACKBONE_DTYPE_FLOAT32, 0, {s[0], s[1], s[2], s[3]},
                                  {s[1] * s[2] * s[3], s[2] * s[3], s[3], 1}};
        outputs[i] = tensor;
    }
    return image;
}

/* Forward and back; the outputs stand for gradients. */
static backbone_status pass(backbone *net, int mode) {
    backbone_tape *tape = NULL;
    backbone_tensor outputs[4];
    backbone_tensor image = describe(net, outputs);
    backbone_set_training(net, mode);
    backbone_status status = backbone_tape_create(net, NULL, &tape);
    CHECK((tape != NULL) == (status == BACKBONE_STATUS_OK), "status %d", (int)status);
    if (status == BACKBONE_STATUS_OK) status = backbone_forward_train(net, tape, &image, outputs, 4);
    if (status == BACKBONE_STATUS_OK) {
        status = backbone_backward(net, tape, outputs, 4, NULL, gradients, gradient_count, 0);
    }
    backbone_tape_free(tape);
    backbone_set_training(net, 0);
    return status;
}
static backbone_status try_pass(backbone *net) { return pass(net, 0); }
static backbone_status try_pass_in_training(backbone *net) { return pass(net, 1); }

static backbone_status create_optimizer(backbone *net, backbone_optimizer **out) {
    static const backbone_parameter_group groups[2] = {{"layer4.", 0, 0, 0.5, 0},
                                                       {NULL, BACKBONE_PARAMETERS_NORMS, 0, 1, 0}};
    backbone_optimizer_options options;
    backbone_optimizer_options_init(&options, sizeof options, BACKBONE_OPTIMIZER_ADAMW);
    options.groups = groups;
    options.group_count = 2;
    backbone_status status = backbone_optimizer_create(net, &options, out);
    CHECK((*out != NULL) == (status == BACKBONE_STATUS_OK), "status %d", (int)status);
    return status;
}
static backbone_status try_optimizer(backbone *net) {
    backbone_optimizer *optimizer = NULL;
    backbone_status status = create_optimizer(net, &optimizer);
    if (status == BACKBONE_STATUS_OK) {
        status = backbone_optimizer_step(net, optimizer, gradients, gradient_count, 0.1, 0);
    }
    backbone_optimizer_free(optimizer);
    return status;
}
static backbone_status try_follow(backbone *net) {
    backbone_optimizer *optimizer = NULL;
    backbone_status status = create_optimizer(net, &optimizer);
    backbone_freeze(net, 0);
    if (status == BACKBONE_STATUS_OK) status = backbone_optimizer_follow(net, optimizer);
    backbone_freeze(net, -1);
    backbone_optimizer_free(optimizer);
    return status;
}
static backbone_status try_clip(backbone *net) {
    double norm = -1;
    backbone_status status = backbone_clip_gradients(net, gradients, gradient_count, 1e30, &norm);
    CHECK((norm >= 0) == (status == BACKBONE_STATUS_OK), "norm %g, status %d", norm, (int)status);
    return status;
}
static backbone_status try_save_training(backbone *net) {
    backbone_optimizer *optimizer = NULL;
    backbone_freeze(net, 3);
    backbone_status status = create_optimizer(net, &optimizer);
    if (status == BACKBONE_STATUS_OK) status = backbone_save_training(net, optimizer, training_path, 0.1);
    backbone_optimizer_free(optimizer);
    return status;
}
static backbone_status try_load_training(backbone *net) {
    backbone_optimizer *optimizer = NULL;
    backbone_report *report = NULL;
    backbone_freeze(net, 3); /* a state of few parameters: each is an allocation or two */
    backbone_status status = create_optimizer(net, &optimizer);
    if (status == BACKBONE_STATUS_OK) {
        status = backbone_load_training(net, optimizer, training_path, &report);
        CHECK((report != NULL) == (status == BACKBONE_STATUS_OK), "status %d", (int)status);
    }
    backbone_report_free(report);
    backbone_optimizer_free(optimizer);
    return status;
}
static backbone_status try_statistics(backbone *net) {
    backbone_tensor outputs[4];
    backbone_tensor image = describe(net, outputs);
    backbone_status status = backbone_statistics_begin(net);
    if (status == BACKBONE_STATUS_OK) status = backbone_statistics_add(net, &image);
    if (status == BACKBONE_STATUS_OK) status = backbone_statistics_commit(net);
    return status;
}

/* Parameters stay bound, with their values, if the memory to copy them back to cannot be allocated. */
static float *bound;
static backbone_status try_bind(backbone *net) {
    backbone_status status = backbone_read_trainable(net, bound, gradient_count);
    if (status == BACKBONE_STATUS_OK) status = backbone_bind_parameters(net, bound, gradient_count);
    if (status == BACKBONE_STATUS_OK) status = backbone_bind_parameters(net, NULL, 0);
    return status;
}

/* A file of the weights that every attempt begins with, and of an optimiser that has made a step. */
static void prepare_training(void) {
    backbone *net = create();
    backbone_optimizer *optimizer = NULL;
    CHECK(mkstemps(training_path, 4) >= 0, "cannot write %s", training_path);
    CHECK(backbone_trainable_count(net, &gradient_count) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
    gradients = malloc(gradient_count * sizeof *gradients);
    bound = malloc(gradient_count * sizeof *bound);
    for (size_t i = 0; i < gradient_count; i++) gradients[i] = (float)(i % 7) - 3;
    size_t count = 0;
    backbone_freeze(net, 3);
    CHECK(backbone_trainable_count(net, &count) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
    CHECK(create_optimizer(net, &optimizer) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
    /* A step of rate 0 changes the state alone. */
    CHECK(backbone_optimizer_step(net, optimizer, gradients, count, 0, 0) == BACKBONE_STATUS_OK, "%s",
          backbone_last_error_message());
    CHECK(backbone_save_training(net, optimizer, training_path, 0) == BACKBONE_STATUS_OK, "%s",
          backbone_last_error_message());
    backbone_optimizer_free(optimizer);
    backbone_free(net);
}

static backbone_status try_save(backbone *net) { return backbone_save_weights(net, path); }
static backbone_status try_save_zip(backbone *net) { return backbone_save_weights(net, zip_path); }

static const struct {
    const char *name;
    backbone_status (*attempt)(backbone *net);

} attempts[] = {
    {"create", try_create}, {"init_weights", try_init}, {"forward", try_forward},
    {"forward in training mode", try_training}, {"read_entry", try_read}, {"write_entry", try_write},
    {"save_weights", try_save}, {"load_weights", try_load}, {"save_weights, .pth", try_save_zip},
    {"load_weights, .pth", try_load_zip}, {"load_weights_with", try_load_with}, {"inspect", try_inspect},
    {"create_from_file", try_create_from_file}, {"load_weights_from_memory", try_load_from_memory},
    {"inspect_memory", try_inspect_memory}, {"create_from_memory", try_create_from_memory},
    {"forward_train, backward", try_pass}, {"the same in training mode", try_pass_in_training},
    {"optimizer_step", try_optimizer}, {"optimizer_follow", try_follow}, {"clip_gradients", try_clip},
    {"load_training", try_load_training}, {"save_training", try_save_training}, {"statistics", try_statistics},
    {"bind_parameters", try_bind},
};

/* After the first forward pass of a shape nothing is allocated. A forward pass in training mode in between changes that
 * only for the next one, whose weights are folded anew. */
static void forwards_again_allocate_nothing(void) {
    backbone *net = create();
    for (int round = 0; round < 2; round++) {
        CHECK(forward(net) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
        long before = allocations;
        for (int i = 0; i < 20; i++) CHECK(forward(net) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
        CHECK(allocations == before, "%ld allocations in 20 forward passes, round %d", allocations - before, round);
        backbone_set_training(net, 1);
        CHECK(forward(net) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
        backbone_set_training(net, 0);
    }
    backbone_free(net);
}

/* Files that are refused for want of memory, whatever else is wrong with them: no other error may hide that. */
static void every_file_of(const char *folder) {
    backbone *net = create();
    long files = 0, refusals = 0;
    DIR *list = opendir(folder);
    CHECK(list != NULL, "%s", folder);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.') continue;
        files++;
        for (persistent = 0; persistent < 2; persistent++) {
            /* Later ones are further rounds of loops that have failed before. */
            for (long nth = 0; nth < 400; nth++) {
                backbone_report *report = NULL;
                countdown = nth;
                has_failed = 0;
                backbone_status status = backbone_load_weights(net, file, 0, &report);
                countdown = -1;
                backbone_report_free(report);
                if (!has_failed) break;
                refusals++;
                CHECK(status == BACKBONE_STATUS_OUT_OF_MEMORY, "%s, allocation %ld: status %d", file, nth, (int)status);
            }
        }
    }
    if (list != NULL) closedir(list);
    CHECK(files > 50 && refusals > files, "%s: %ld refusals of %ld files", folder, refusals, files);
    printf("%s: %ld files, %ld times without memory\n", folder, files, refusals);
    backbone_free(net);
}

static void read_checkpoint(void) {
    FILE *file = fopen(zip_path, "rb");
    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0, "%s", zip_path);
    if (file == NULL) return;
    checkpoint_size = (size_t)ftell(file);
    checkpoint = malloc(checkpoint_size);
    rewind(file);
    CHECK(fread(checkpoint, 1, checkpoint_size, file) == checkpoint_size, "%s", zip_path);
    fclose(file);
}

/* Every call that allocates, with a network that is then as it was. */
static void every_call(void) {
    static float expected[4][BATCH * 64 * 10 * 10];
    backbone *net = create();
    CHECK(mkstemp(path) >= 0 && mkstemps(zip_path, 4) >= 0, "cannot write %s and %s", path, zip_path);
    CHECK(backbone_save_weights(net, path) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
    CHECK(forward(net) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
    CHECK(backbone_save_weights(net, zip_path) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
    read_checkpoint();
    prepare_training();
    memcpy(expected, features, sizeof features);
    backbone_free(net);

    for (size_t a = 0; a < sizeof attempts / sizeof *attempts; a++) {
        for (persistent = 0; persistent < 2; persistent++) {
            long nth = 0;
            for (;; nth++) {
                net = create();
                countdown = nth;
                has_failed = 0;
                backbone_status status = attempts[a].attempt(net);
                countdown = -1;
                if (!has_failed) {
                    CHECK(status == BACKBONE_STATUS_OK, "%s: %s", attempts[a].name, backbone_last_error_message());
                    backbone_free(net);
                    break;
                }
                CHECK(status == BACKBONE_STATUS_OUT_OF_MEMORY, "%s, allocation %ld: status %d", attempts[a].name, nth,
                      (int)status);
                CHECK(strstr(backbone_last_error_message(), "alloc") != NULL, "%s", backbone_last_error_message());
                /* The network is as it was, and works. */
                CHECK(forward(net) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
                CHECK(memcmp(features, expected, sizeof features) == 0, "%s, allocation %ld", attempts[a].name, nth);
                backbone_free(net);
            }
            CHECK(nth > 0, "%s allocates nothing", attempts[a].name);
            printf("%-25s %s failure: %ld allocations\n", attempts[a].name, persistent ? "lasting" : "single", nth);
        }
    }
    free(checkpoint);
    free(gradients);
    free(bound);
    unlink(training_path);
    unlink(path);
    unlink(zip_path);
}

int main(int argc, char **argv) {
    for (int i = 0; i < PIXELS; i++) pixels[i] = (float)(i * 37 % 101) / 50.0f - 1.0f;
    if (argc == 1) {
        every_call();
        forwards_again_allocate_nothing();
    }
    for (int i = 1; i < argc; i++) every_file_of(argv[i]);
    CHECK(allocations > 100, "only %ld allocations came by", allocations);
    printf("%d failed\n", failures);
    return failures != 0;
}
