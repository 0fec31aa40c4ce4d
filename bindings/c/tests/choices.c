/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * Networks that the fields after options.architecture choose, programs compiled before those fields existed, and what
 * the options of such networks say. Runs under valgrind too, hence the narrow networks.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backbone.h"
#include "calls.h"
#include "check.h"

#define INVALID BACKBONE_STATUS_INVALID_ARGUMENT

/* The structs of a program that was compiled before they had `num_classes` and `head`. */
enum { OLD_SIZE = 88, OLD_LOAD_SIZE = 56, MOST_OUTPUTS = 7, CLASSES = 1000 };

static backbone *create(const backbone_options *options) {
    backbone *net = NULL;
    CHECK_OK(backbone_create(options, &net));
    if (net == NULL) exit(EXIT_FAILURE);
    return net;
}

static backbone_options narrow(const char *architecture) {
    backbone_options options;
    CHECK_OK(backbone_options_init(&options, sizeof options));
    options.architecture = architecture;
    if (architecture != NULL) options.depth = 0;
    options.base_channels = 4;
    options.threads = 2;
    return options;
}

/* A struct of exactly `size` bytes: valgrind sees what is read or written beyond them. */
static backbone_options *small_struct(size_t size) {
    backbone_options *options = malloc(size);
    if (options == NULL) {
        perror("malloc");
        exit(EXIT_FAILURE);
    }
    CHECK_OK(backbone_options_init(options, size));
    CHECK(options->struct_size == size, "%u, not %zu", (unsigned)options->struct_size, size);
    return options;
}

static size_t outputs_of(const backbone *net, int64_t shapes[MOST_OUTPUTS][4]) {
    const int64_t input[4] = {1, 3, 64, 64};
    backbone_options now = {.struct_size = sizeof now};
    CHECK_OK(backbone_get_options(net, &now));
    size_t count = 0;
    for (uint32_t bits = now.out_stages; bits != 0; bits &= bits - 1) count++;
    CHECK_OK(backbone_output_shapes(net, input, &shapes[0][0], count));
    return count;
}

/* All outputs for one image, one after another; to be freed. */
static float *compute(backbone *net, size_t *total) {
    static float image[3 * 64 * 64];
    for (int i = 0; i < 3 * 64 * 64; i++) image[i] = (float)(i * 37 % 101) / 50 - 1;
    int64_t shapes[MOST_OUTPUTS][4];
    size_t count = outputs_of(net, shapes), sizes[MOST_OUTPUTS];
    *total = 0;
    for (size_t i = 0; i < count; i++) {
        sizes[i] = (size_t)(shapes[i][0] * shapes[i][1] * shapes[i][2] * shapes[i][3]);
        *total += sizes[i];
    }
    float *memory = calloc(*total, sizeof *memory), *next = memory;
    if (memory == NULL) exit(EXIT_FAILURE);
    backbone_tensor outputs[MOST_OUTPUTS];
    for (size_t i = 0; i < count; i++) {
        const int64_t *s = shapes[i];
        outputs[i] = (backbone_tensor){next, BACKBONE_DTYPE_FLOAT32, 0, {s[0], s[1], s[2], s[3]},
                                       {s[1] * s[2] * s[3], s[2] * s[3], s[3], 1}};
        next += sizes[i];
    }
    const backbone_tensor input = {image, BACKBONE_DTYPE_FLOAT32, 0, {1, 3, 64, 64}, {12288, 4096, 64, 1}};
    CHECK_OK(backbone_forward(net, &input, outputs, count));
    return memory;
}

/* Names, shapes, outputs and, since both have the weights of seed 0, their bits. */
static void check_same(const char *what, backbone *a, backbone *b) {
    size_t count = 0, other = 0;
    CHECK_OK(backbone_entry_count(a, &count));
    CHECK_OK(backbone_entry_count(b, &other));
    CHECK(count == other && count > 0, "%s: %zu entries, not %zu", what, other, count);
    for (size_t i = 0; i < count && i < other; i++) {
        backbone_entry_info x, y;
        CHECK_OK(backbone_get_entry_info(a, i, &x));
        CHECK_OK(backbone_get_entry_info(b, i, &y));
        CHECK(strcmp(x.name, y.name) == 0 && memcmp(x.shape, y.shape, sizeof x.shape) == 0, "%s: %s, not %s", what,
              y.name, x.name);
    }
    size_t total = 0, total_of_other = 0;
    float *of_a = compute(a, &total), *of_b = compute(b, &total_of_other);
    CHECK(total == total_of_other && memcmp(of_a, of_b, total * sizeof *of_a) == 0, "%s: other outputs", what);
    double sum = 0;
    for (size_t i = 0; i < total; i++) sum += of_a[i] < 0 ? -of_a[i] : of_a[i];
    CHECK(sum > 0, "%s: nothing was computed", what);
    free(of_a);
    free(of_b);
}

static void every_older_size_gives_the_same_network(void) {
    backbone_options whole = narrow(NULL);
    backbone *net = create(&whole);
    static const size_t sizes[] = {56, 64, 72, 80, OLD_SIZE, 104, 120, 168, sizeof(backbone_options)};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char text[32];
        snprintf(text, sizeof text, "%zu bytes", sizes[i]);
        backbone_options *options = small_struct(sizes[i]);
        options->base_channels = 4;
        backbone *of_size = create(options);
        check_same(text, net, of_size);
        memset((char *)options + sizeof options->struct_size, 0x55, sizes[i] - sizeof options->struct_size);
        CHECK_OK(backbone_get_options(of_size, options));
        CHECK(options->struct_size == sizes[i] && options->depth == 50 && options->base_channels == 4, "%s", text);
        backbone_free(of_size);
        free(options);
    }
    backbone_free(net);
}

/* As the header said before: 318 entries, C2 to C5, no head. */
static void a_program_of_the_older_header_gets_its_resnet50(void) {
    CHECK(offsetof(backbone_options, num_classes) == OLD_SIZE && sizeof(backbone_options) == 176, "%zu",
          sizeof(backbone_options));
    backbone_options *options = small_struct(OLD_SIZE);
    backbone *net = create(options);
    size_t count = 0;
    int64_t shapes[MOST_OUTPUTS][4];
    static const int64_t expected[4][4] = {{1, 256, 16, 16}, {1, 512, 8, 8}, {1, 1024, 4, 4}, {1, 2048, 2, 2}};
    CHECK_OK(backbone_entry_count(net, &count));
    CHECK(count == 318, "%zu entries", count);
    CHECK(outputs_of(net, shapes) == 4 && memcmp(shapes, expected, sizeof expected) == 0, "other shapes");
    CHECK_OK(backbone_get_options(net, options));
    CHECK(strcmp(options->architecture, "resnet50") == 0 && options->depth == 50, "%s", options->architecture);
    backbone_free(net);
    free(options);
}

static void it_may_ask_for_logits(void) {
    backbone_options *options = small_struct(OLD_SIZE);
    options->base_channels = 4;
    options->out_stages = BACKBONE_STAGE_LOGITS;
    backbone *net = create(options);
    int64_t shapes[MOST_OUTPUTS][4];
    static const int64_t expected[4] = {1, CLASSES, 1, 1};
    CHECK(outputs_of(net, shapes) == 1 && memcmp(shapes, expected, sizeof expected) == 0, "%lld classes",
          (long long)shapes[0][1]);
    backbone_options whole = narrow(NULL);
    whole.out_stages = BACKBONE_STAGE_LOGITS;
    whole.num_classes = CLASSES;
    backbone *same = create(&whole);
    check_same("logits", net, same);
    CHECK_OK(backbone_get_options(net, options));
    CHECK(options->out_stages == BACKBONE_STAGE_LOGITS, "%u", (unsigned)options->out_stages);
    backbone_free(same);
    backbone_free(net);
    free(options);
}

/* What a smaller struct has no room for is refused, and the whole one creates the network again. */
static void check_needs_the_whole_struct(const char *what, const backbone_options *options) {
    backbone *net = create(options);
    backbone_options *old = small_struct(OLD_SIZE);
    memset(old, 0x55, OLD_SIZE);
    old->struct_size = OLD_SIZE;
    CHECK_FAILS(INVALID, "struct_size 88", backbone_get_options(net, old));
    CHECK(old->depth == 0x55555555, "%s: a call that failed wrote depth %d", what, (int)old->depth);
    free(old);
    backbone_options now = {.struct_size = sizeof now};
    CHECK_OK(backbone_get_options(net, &now));
    backbone *again = create(&now);
    check_same(what, net, again);
    backbone_free(again);
    backbone_free(net);
}

static void options_that_older_structs_cannot_hold(void) {
    backbone_options options = narrow("resnet50");
    options.output_stride = 8;
    check_needs_the_whole_struct("dilated", &options);
    options = narrow("resnet34");
    options.dilated_stages = BACKBONE_STAGE_C4 | BACKBONE_STAGE_C5;
    options.dilation_rule = BACKBONE_DILATION_WHOLE;
    check_needs_the_whole_struct("dilated as a whole", &options);
    options = narrow("resnet18");
    options.out_stages = BACKBONE_STAGE_LOGITS | BACKBONE_STAGE_POOLED | BACKBONE_STAGE_C1;
    options.num_classes = 5;
    check_needs_the_whole_struct("five classes", &options);

    options = narrow("custom");
    options.base_channels = 16;
    options.out_stages = 127;
    options.num_classes = 3;
    options.block_counts[0] = 1;
    options.block_counts[1] = 2;
    options.block = BACKBONE_BLOCK_BOTTLENECK;
    options.groups = 2;
    options.width_per_group = 16;
    options.stem = BACKBONE_STEM_DEEP;
    options.stem_channels = 24;
    options.stem_pooling = BACKBONE_STEM_POOLING_CONVOLUTION;
    options.shortcut = BACKBONE_SHORTCUT_AVERAGE;
    options.attention = BACKBONE_ATTENTION_ECA;
    options.anti_aliasing = BACKBONE_ANTI_ALIASING_BLUR;
    check_needs_the_whole_struct("custom", &options);

    options = narrow("custom");
    options.base_channels = 64;
    options.block_counts[0] = options.block_counts[1] = 1;
    options.block = BACKBONE_BLOCK_BASIC;
    options.preactivation = 2;
    options.norm = BACKBONE_NORM_GROUP;
    check_needs_the_whole_struct("pre-activation and GroupNorm", &options);

    const int32_t widths[] = {0, 0, 5, 64, 64, 0, 7, 12, 12, 0};
    options.preactivation = options.norm = 0;
    options.block_widths = widths;
    options.block_width_count = 10;
    check_needs_the_whole_struct("pruned", &options);

    /* A name says all of these. */
    options = narrow("seresnet18");
    options.out_stages = 127;
    backbone *net = create(&options);
    backbone_options *old = small_struct(OLD_SIZE);
    CHECK_OK(backbone_get_options(net, old));
    backbone *again = create(old);
    check_same("seresnet18", net, again);
    backbone_free(again);
    backbone_free(net);
    free(old);
}

static void choices_that_name_a_network_are_that_network(void) {
    backbone_options named = narrow("seresnet18"), chosen = narrow("resnet18");
    chosen.attention = BACKBONE_ATTENTION_SE;
    backbone *a = create(&named), *b = create(&chosen);
    backbone_options now = {.struct_size = sizeof now};
    CHECK_OK(backbone_get_options(b, &now));
    CHECK(strcmp(now.architecture, "seresnet18") == 0, "%s", now.architecture);
    check_same("seresnet18 by its attention", a, b);
    backbone_free(a);
    backbone_free(b);
}

/* A head of other classes is refused, unless `head` says otherwise, for which older structs have no room. */
static void heads(const char *path) {
    backbone_options options = narrow("resnet18");
    options.out_stages = BACKBONE_STAGE_LOGITS;
    options.num_classes = 5;
    backbone *five = create(&options);
    CHECK_OK(backbone_init_weights(five, 7));
    CHECK_OK(backbone_save_weights(five, path));
    options.num_classes = 3;
    backbone *three = create(&options);
    CHECK(offsetof(backbone_load_options, head) == OLD_LOAD_SIZE, "%zu", offsetof(backbone_load_options, head));
    static const uint32_t sizes[] = {40, 48, OLD_LOAD_SIZE, sizeof(backbone_load_options)};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        backbone_load_options *how = malloc(sizes[i]);
        if (how == NULL) exit(EXIT_FAILURE);
        CHECK_OK(backbone_load_options_init(how, sizes[i]));
        CHECK(how->struct_size == sizes[i], "%u", (unsigned)how->struct_size);
        CHECK_FAILS(BACKBONE_STATUS_MISMATCH, "fc.weight", backbone_load_weights_with(three, path, how, NULL));
        CHECK_OK(backbone_load_weights_with(five, path, how, NULL));
        if (sizes[i] > OLD_LOAD_SIZE) {
            how->head = 2;
            CHECK_FAILS(INVALID, "head", backbone_load_weights_with(three, path, how, NULL));
            how->head = BACKBONE_HEAD_NEW;
            float before[3], after[3], stem[4 * 147], loaded[4 * 147];
            size_t bias = 0;
            CHECK_OK(backbone_find_entry(three, "fc.bias", &bias));
            for (int c = 0; c < 3; c++) before[c] = (float)c + 1;
            CHECK_OK(backbone_write_entry(three, bias, before, sizeof before));
            CHECK_OK(backbone_load_weights_with(three, path, how, NULL));
            CHECK_OK(backbone_read_entry(three, bias, after, sizeof after));
            CHECK(memcmp(before, after, sizeof before) == 0, "the head changed: %g", (double)after[0]);
            CHECK_OK(backbone_read_entry(five, 0, stem, sizeof stem));
            CHECK_OK(backbone_read_entry(three, 0, loaded, sizeof loaded));
            CHECK(memcmp(stem, loaded, sizeof stem) == 0, "the stem is not the file's");
        }
        free(how);
    }
    backbone_free(three);
    backbone_free(five);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: choices FILE-TO-WRITE.pth\n");
        return EXIT_FAILURE;
    }
    every_older_size_gives_the_same_network();
    a_program_of_the_older_header_gets_its_resnet50();
    it_may_ask_for_logits();
    options_that_older_structs_cannot_hold();
    choices_that_name_a_network_are_that_network();
    heads(argv[1]);
    remove(argv[1]);
    printf("%d checks failed\n", failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
