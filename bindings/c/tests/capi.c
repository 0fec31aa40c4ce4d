/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * The library as a C program sees it: values that can be worked out by hand, the options, the errors, and that a
 * failure changes nothing. Runs under valgrind too, hence the small networks.
 */

#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backbone.h"
#include "calls.h"
#include "check.h"

#define INVALID BACKBONE_STATUS_INVALID_ARGUMENT

/* ---- A network whose features are known ------------------------------------------------------------------------- */

static void fill(backbone *net, const char *name, const float *values, size_t count) {
    size_t index = 0;
    CHECK_OK(backbone_find_entry(net, name, &index));
    CHECK_OK(backbone_write_entry(net, index, values, count * sizeof(float)));
}

static backbone_options small_options(void) {
    backbone_options options;
    CHECK_OK(backbone_options_init(&options, sizeof options));
    options.depth = 18;
    options.in_channels = 3;
    options.base_channels = 1;
    options.out_stages = BACKBONE_STAGE_C2;
    options.threads = 2;
    return options;
}

/*
 * ResNet-18 of width 1 up to C2, each convolution a single tap in the middle of its window. The stem passes on every
 * second pixel of channel 0, the first block gives x + 0.5 x, the second x + 0: C2 is 1.5 times the maximum of a 3 x 3
 * window with stride 2. BatchNorm divides by sqrt(running_var + 1e-5), which the running_var here makes 1.
 */
static backbone *known_network(const backbone_options *options) {
    backbone *net = NULL;
    CHECK_OK(backbone_create(options, &net));
    float stem[3 * 49] = {0}, tap[9] = {0}, half[9] = {0}, none[9] = {0};
    stem[24] = 1; /* the middle of 7 x 7, in the window of channel 0 */
    tap[4] = 1;
    half[4] = 0.5f;
    fill(net, "conv1.weight", stem, 3 * 49);
    fill(net, "layer1.0.conv1.weight", tap, 9);
    fill(net, "layer1.0.conv2.weight", half, 9);
    fill(net, "layer1.1.conv1.weight", tap, 9);
    fill(net, "layer1.1.conv2.weight", none, 9);
    static const char *const variances[] = {"bn1.running_var", "layer1.0.bn1.running_var", "layer1.0.bn2.running_var",
                                            "layer1.1.bn1.running_var", "layer1.1.bn2.running_var"};
    const float variance = 1 - 1e-5f;
    for (size_t i = 0; i < sizeof variances / sizeof *variances; i++) {
        fill(net, variances[i], &variance, 1);
    }
    return net;
}

enum { H = 22, W = 30, STEM_H = 11, STEM_W = 15, OUT_H = 6, OUT_W = 8 };

/* What the known network gives where channel 0 of the network holds `channel`. */
static float known_feature(float channel[H][W], int y, int x) {
    float largest = 0; /* ReLU is before the maximum */
    for (int i = 2 * y - 1; i <= 2 * y + 1; i++) {
        for (int j = 2 * x - 1; j <= 2 * x + 1; j++) {
            if (i >= 0 && i < STEM_H && j >= 0 && j < STEM_W && channel[2 * i][2 * j] > largest) {
                largest = channel[2 * i][2 * j];
            }
        }
    }
    return 1.5f * largest;
}

static void check_features(const char *what, float channel[H][W], const float *features, int64_t row, int64_t column) {
    for (int y = 0; y < OUT_H; y++) {
        for (int x = 0; x < OUT_W; x++) {
            float expected = known_feature(channel, y, x);
            float actual = features[y * row + x * column];
            CHECK(fabsf(actual - expected) <= 1e-5f * (1 + fabsf(expected)), "%s (%d, %d): %g, not %g", what, y, x,
                  (double)actual, (double)expected);
        }
    }
}

/* Not monotonic, of both signs, different in every channel. */
static float pixel(int c, int y, int x) { return (float)((y * 37 + x * 53 + c * 71) % 101) - 50; }

static void float_input_in_all_strides(void) {
    backbone_options options = small_options();
    backbone *net = known_network(&options);
    static float nchw[3][H][W], nhwc[H][W][3], upside_down[3][H][W];
    for (int c = 0; c < 3; c++) {
        for (int y = 0; y < H; y++) {
            for (int x = 0; x < W; x++) {
                nchw[c][y][x] = nhwc[y][x][c] = upside_down[c][H - 1 - y][x] = pixel(c, y, x);
            }
        }
    }
    int64_t shape[4] = {1, 3, H, W}, out_shape[4];
    CHECK_OK(backbone_output_shapes(net, shape, out_shape, 1));
    CHECK(out_shape[0] == 1 && out_shape[1] == 1 && out_shape[2] == OUT_H && out_shape[3] == OUT_W,
          "%lld x %lld", (long long)out_shape[2], (long long)out_shape[3]);

    float features[OUT_H * OUT_W];
    backbone_tensor output = {features, BACKBONE_DTYPE_FLOAT32, 0, {1, 1, OUT_H, OUT_W}, {48, 48, OUT_W, 1}};
    backbone_tensor input = {nchw, BACKBONE_DTYPE_FLOAT32, 0, {1, 3, H, W}, {3 * H * W, H * W, W, 1}};
    CHECK_OK(backbone_forward(net, &input, &output, 1));
    check_features("NCHW", nchw[0], features, OUT_W, 1);

    memset(features, 0xff, sizeof features);
    backbone_tensor last = {nhwc, BACKBONE_DTYPE_FLOAT32, 0, {1, 3, H, W}, {3 * H * W, 1, 3 * W, 3}};
    CHECK_OK(backbone_forward(net, &last, &output, 1));
    check_features("NHWC", nchw[0], features, OUT_W, 1);

    memset(features, 0xff, sizeof features);
    backbone_tensor flipped = {&upside_down[0][H - 1][0], BACKBONE_DTYPE_FLOAT32, 0, {1, 3, H, W},
                               {3 * H * W, H * W, -W, 1}};
    CHECK_OK(backbone_forward(net, &flipped, &output, 1));
    check_features("negative stride", nchw[0], features, OUT_W, 1);

    /* Columns far apart from each other, and between them memory that is not the library's. */
    enum { ROW = 1, COLUMN = 7 };
    float apart[OUT_W * COLUMN + COLUMN];
    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++) {
        apart[i] = -1;
    }
    backbone_tensor spread = {apart, BACKBONE_DTYPE_FLOAT32, 0, {1, 1, OUT_H, OUT_W}, {100, 100, ROW, COLUMN}};
    CHECK_OK(backbone_forward(net, &input, &spread, 1));
    check_features("spread output", nchw[0], apart, ROW, COLUMN);
    for (int x = 0; x < OUT_W; x++) {
        CHECK(apart[x * COLUMN + OUT_H] == -1, "wrote between the columns at %d", x);
    }
    backbone_free(net);
}

static void byte_input_is_normalised(void) {
    const float mean[3] = {10, 20, 30}, std_dev[3] = {2, 4, 8};
    static uint8_t bytes[H][W][3];
    static float first[H][W], reversed[H][W];
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            for (int c = 0; c < 3; c++) {
                bytes[y][x][c] = (uint8_t)(pixel(c, y, x) + 100);
            }
            /* Channel 0 of the network, with its own mean: it reads byte 0, or byte 2 when reversed. */
            first[y][x] = ((float)bytes[y][x][0] - 10) / 2;
            reversed[y][x] = ((float)bytes[y][x][2] - 10) / 2;
        }
    }
    backbone_tensor input = {bytes, BACKBONE_DTYPE_UINT8, 0, {1, 3, H, W}, {3 * H * W, 1, 3 * W, 3}};
    float features[OUT_H * OUT_W];
    backbone_tensor output = {features, BACKBONE_DTYPE_FLOAT32, 0, {1, 1, OUT_H, OUT_W}, {48, 48, OUT_W, 1}};
    backbone_options options = small_options();
    options.mean = mean;
    options.std_dev = std_dev;
    for (int32_t order = BACKBONE_CHANNELS_AS_GIVEN; order <= BACKBONE_CHANNELS_REVERSED; order++) {
        options.channel_order = order;
        backbone *net = known_network(&options);
        CHECK_OK(backbone_forward(net, &input, &output, 1));
        check_features(order ? "reversed" : "as given", order ? reversed : first, features, OUT_W, 1);
        backbone_free(net);
    }
}

/* ---- Weights ---------------------------------------------------------------------------------------------------- */

static float read_first(const backbone *net, const char *name) {
    size_t index = 0;
    backbone_entry_info info;
    CHECK_OK(backbone_find_entry(net, name, &index));
    CHECK_OK(backbone_get_entry_info(net, index, &info));
    CHECK(strcmp(info.name, name) == 0, "entry %zu is %s, not %s", index, info.name, name);
    size_t size = sizeof(float);
    for (int i = 0; i < info.ndim; i++) {
        size *= (size_t)info.shape[i];
    }
    float *values = malloc(size);
    float first = NAN;
    if (values != NULL) {
        CHECK_OK(backbone_read_entry(net, index, values, size));
        first = values[0];
    }
    free(values);
    return first;
}

static void copy_prefix(const char *from, const char *to, long size) {
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    CHECK(in != NULL && out != NULL, "cannot copy %s to %s", from, to);
    for (int byte; in != NULL && out != NULL && size > 0 && (byte = fgetc(in)) != EOF; size--) {
        fputc(byte, out);
    }
    if (in != NULL) {
        fclose(in);
    }
    if (out != NULL) {
        fclose(out);
    }
}

/* A file in memory whose first byte is the second of the block and whose last is the last. */
static unsigned char *read_whole(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0, "cannot read %s", path);
    *size = file == NULL ? 0 : (size_t)ftell(file);
    unsigned char *memory = malloc(*size + 1);
    if (file != NULL) {
        rewind(file);
        CHECK(fread(memory + 1, 1, *size, file) == *size, "cannot read %s", path);
        fclose(file);
    }
    return memory;
}

static void weights_survive_a_file(const char *folder) {
    char path[256], broken[256], missing[256];
    snprintf(path, sizeof path, "%s/weights", folder);
    snprintf(broken, sizeof broken, "%s/broken", folder);
    snprintf(missing, sizeof missing, "%s/nothing-here", folder);

    backbone_options options = small_options();
    backbone *net = known_network(&options), *other = NULL;
    const float marker = 0.123f;
    fill(net, "bn1.bias", &marker, 1);
    CHECK_OK(backbone_save_weights(net, path));
    CHECK_OK(backbone_create(&options, &other));

    size_t entries = 0, loaded = 0, left = 0;
    backbone_report *report = NULL;
    const char *container = NULL;
    CHECK_OK(backbone_entry_count(other, &entries));
    CHECK_OK(backbone_load_weights(other, path, 1, &report));
    CHECK_OK(backbone_report_count(report, BACKBONE_REPORT_LOADED, &loaded));
    CHECK_OK(backbone_report_get_property(report, BACKBONE_REPORT_CONTAINER, &container));
    CHECK(loaded == entries && entries == 30, "%zu of %zu loaded", loaded, entries); /* 5 convolutions, 5 norms of 5 */
    CHECK(container != NULL && strcmp(container, "safetensors") == 0, "container %s", container);
    for (int32_t kind = BACKBONE_REPORT_MISSING; kind <= BACKBONE_REPORT_MISMATCHED; kind++) {
        CHECK_OK(backbone_report_count(report, kind, &left));
        CHECK(left == 0, "%zu names in class %d", left, (int)kind);
    }
    backbone_report_free(report);
    CHECK(read_first(other, "bn1.bias") == marker, "%g", (double)read_first(other, "bn1.bias"));

    /* The same from memory, which is not aligned and is freed right after. */
    size_t whole = 0;
    unsigned char *memory = read_whole(path, &whole);
    const float other_marker = 9;
    fill(other, "bn1.bias", &other_marker, 1);
    CHECK_OK(backbone_load_weights_from_memory(other, memory + 1, whole, NULL, &report));
    free(memory);
    CHECK_OK(backbone_report_count(report, BACKBONE_REPORT_LOADED, &loaded));
    CHECK(loaded == entries, "%zu of %zu loaded", loaded, entries);
    CHECK_OK(backbone_report_get_property(report, BACKBONE_REPORT_TENSORS, &container));
    CHECK(strcmp(container, "30") == 0, "%s tensors", container);
    backbone_report_free(report);
    CHECK(read_first(other, "bn1.bias") == marker, "%g", (double)read_first(other, "bn1.bias"));

    /* Whatever is wrong with a file, the weights stay. */
    const float kept = 0.5f;
    fill(other, "bn1.bias", &kept, 1);
    report = (backbone_report *)&options;
    CHECK_FAILS(BACKBONE_STATUS_FILE_NOT_FOUND, "nothing-here", backbone_load_weights(other, missing, 0, &report));
    CHECK(report == NULL, "a report without a file");
    CHECK_FAILS(BACKBONE_STATUS_IO, folder, backbone_load_weights(other, folder, 0, NULL));
    for (long size = 0; size < 3000; size += 271) {
        copy_prefix(path, broken, size);
        CHECK_FAILS(BACKBONE_STATUS_BAD_CHECKPOINT, "broken", backbone_load_weights(other, broken, 0, NULL));
        char text[64];
        snprintf(text, sizeof text, "memory of %ld bytes", size);
        memory = read_whole(broken, &whole);
        CHECK((long)whole == size, "%zu bytes", whole);
        CHECK_FAILS(BACKBONE_STATUS_BAD_CHECKPOINT, text,
                    backbone_load_weights_from_memory(other, memory + 1, whole, NULL, NULL));
        free(memory);
    }
    CHECK_FAILS(BACKBONE_STATUS_BAD_CHECKPOINT, "memory of 0 bytes: the file is empty",
                backbone_load_weights_from_memory(other, NULL, 0, NULL, NULL));
    CHECK_FAILS(BACKBONE_STATUS_INVALID_ARGUMENT, "size is 18446744073709551615",
                backbone_load_weights_from_memory(other, path, SIZE_MAX, NULL, NULL));
    report = (backbone_report *)&options;
    CHECK_FAILS(BACKBONE_STATUS_INVALID_ARGUMENT, "size is 9223372036854775808",
                backbone_inspect_memory(path, (size_t)1 << 63, NULL, &report));
    CHECK(report == NULL, "a report without a checkpoint");
    CHECK(read_first(other, "bn1.bias") == kept, "a failed load wrote %g", (double)read_first(other, "bn1.bias"));

    /* A network of another width: both shapes are told. */
    backbone *wider = NULL;
    backbone_report_entry entry = {"", 0, 0, {0}, {0}};
    options.base_channels = 2;
    CHECK_OK(backbone_create(&options, &wider));
    report = NULL;
    CHECK_FAILS(BACKBONE_STATUS_MISMATCH, "conv1.weight", backbone_load_weights(wider, path, 0, &report));
    CHECK_OK(backbone_report_get_entry(report, BACKBONE_REPORT_MISMATCHED, 0, &entry));
    CHECK(strcmp(entry.name, "conv1.weight") == 0 && entry.expected_shape[0] == 2 && entry.actual_shape[0] == 1,
          "%s: %lld and %lld", entry.name, (long long)entry.expected_shape[0], (long long)entry.actual_shape[0]);
    backbone_report_free(report);

    backbone_free(wider);
    backbone_free(other);
    backbone_free(net);
    remove(path);
    remove(broken);
}

/* ---- Modes and errors ------------------------------------------------------------------------------------------- */

static int32_t is_trainable(const backbone *net, const char *name) {
    size_t index = 0;
    backbone_entry_info info;
    CHECK_OK(backbone_find_entry(net, name, &index));
    CHECK_OK(backbone_get_entry_info(net, index, &info));
    return info.trainable;
}

static void freezing_is_a_state(void) {
    backbone_options options = small_options();
    backbone *net = NULL;
    CHECK_OK(backbone_create(&options, &net));
    CHECK(is_trainable(net, "conv1.weight") == 1, "nothing is frozen");
    CHECK_OK(backbone_freeze(net, 1));
    CHECK_OK(backbone_set_training(net, 1));
    CHECK(is_trainable(net, "conv1.weight") == 0, "the stem is frozen in training mode too");
    CHECK(is_trainable(net, "layer1.0.conv1.weight") == 0, "layer1 is frozen");
    CHECK_OK(backbone_freeze(net, 0));
    CHECK(is_trainable(net, "conv1.weight") == 0, "the stem is frozen");
    CHECK(is_trainable(net, "layer1.0.conv1.weight") == 1, "a lower number unfreezes");
    backbone_options now;
    now.struct_size = sizeof now;
    CHECK_OK(backbone_get_options(net, &now));
    CHECK(now.frozen_stages == 0 && now.depth == 18 && now.threads == 2, "%d %d %d", (int)now.frozen_stages,
          (int)now.depth, (int)now.threads);
    CHECK_FAILS(INVALID, "5", backbone_freeze(net, 5));
    CHECK(is_trainable(net, "layer1.0.conv1.weight") == 1, "a failed call froze");
    backbone_free(net);
}

static void wrong_options_are_named(void) {
    backbone_options good = small_options(), bad;
    backbone *net = (backbone *)&good;
    const float zero[3] = {1, 0, 1}, not_a_number[3] = {0, NAN, 0};
    CHECK_FAILS(INVALID, "options", backbone_options_init(NULL, sizeof good));
    CHECK_FAILS(INVALID, "3", backbone_options_init(&bad, 3));
    CHECK_FAILS(INVALID, "out", backbone_create(&good, NULL));
#define CHECK_REFUSED(text, field, value)                             \
    do {                                                              \
        bad = good;                                                   \
        bad.field = (value);                                          \
        net = (backbone *)&good;                                      \
        CHECK_FAILS(INVALID, text, backbone_create(&bad, &net));      \
        CHECK(net == NULL, "a handle in spite of " #field);           \
    } while (0)
    CHECK_REFUSED("struct_size", struct_size, 1);
    CHECK_REFUSED("20", depth, 20);
    CHECK_REFUSED("in_channels", in_channels, 0);
    CHECK_REFUSED("base_channels", base_channels, -1);
    CHECK_REFUSED("out_stages", out_stages, 0);
    CHECK_REFUSED("out_stages", out_stages, 128);
    CHECK_REFUSED("frozen_stages", frozen_stages, 5);
    CHECK_REFUSED("threads", threads, -1);
    CHECK_REFUSED("channel_order", channel_order, 2);
    CHECK_REFUSED("normalization", normalization, 2);
    CHECK_REFUSED("reserved2", reserved2, 1);
    CHECK_REFUSED("std_dev", std_dev, zero);
    CHECK_REFUSED("mean", mean, not_a_number);
#undef CHECK_REFUSED
}

static void pixels_as_floats_are_warned_of(void) {
    const float mean[3] = BACKBONE_IMAGENET_MEAN, std_dev[3] = BACKBONE_IMAGENET_STD_DEV;
    backbone_options options = small_options();
    options.mean = mean;
    options.std_dev = std_dev;
    for (int32_t normalization = BACKBONE_NORMALIZE_UINT8; normalization <= BACKBONE_NORMALIZE_ALL; normalization++) {
        options.normalization = normalization;
        backbone *net = NULL;
        CHECK_OK(backbone_create(&options, &net));
        float values[3 * 64], feature[4];
        for (int i = 0; i < 3 * 64; i++) values[i] = (float)(i * 37 % 256);
        const backbone_tensor input = {values, BACKBONE_DTYPE_FLOAT32, 0, {1, 3, 8, 8}, {192, 64, 8, 1}};
        const backbone_tensor output = {feature, BACKBONE_DTYPE_FLOAT32, 0, {1, 1, 2, 2}, {4, 4, 2, 1}};
        size_t count = 9;
        const char *text = NULL;
        for (int i = 0; i < 2; i++) CHECK_OK(backbone_forward(net, &input, &output, 1));
        CHECK_OK(backbone_warning_count(net, &count));
        CHECK(count == (normalization == BACKBONE_NORMALIZE_UINT8), "%zu warnings", count);
        if (count == 1) {
            CHECK_OK(backbone_get_warning(net, 0, &text));
            CHECK(strstr(text, "mean and std_dev were not applied") != NULL, "%s", text);
        }
        CHECK_FAILS(INVALID, "warnings", backbone_get_warning(net, count, &text));
        backbone_free(net);
    }
}

static void null_is_an_error_everywhere(void) {
    backbone_options options = small_options();
    backbone *net = NULL;
    CHECK_OK(backbone_create(&options, &net));
    float values[3 * 64] = {0};
    size_t number;
    int32_t flag;
    int64_t shapes[4], shape[4] = {1, 3, 8, 8};
    const char *text;
    backbone *created;
    backbone_report *report;
    backbone_report_entry entry;
    backbone_entry_info info;
    double real;
    const int64_t labels[1] = {0};
    backbone_tape *tape = NULL, *no_tape;
    backbone_optimizer *optimizer = NULL, *no_optimizer;
    CHECK_OK(backbone_tape_create(net, NULL, &tape));
    CHECK_OK(backbone_optimizer_create(net, NULL, &optimizer));
    backbone_tensor input = {values, BACKBONE_DTYPE_FLOAT32, 0, {1, 3, 8, 8}, {192, 64, 8, 1}};
    backbone_tensor output = {values, BACKBONE_DTYPE_FLOAT32, 0, {1, 1, 2, 2}, {4, 4, 2, 1}};
    const struct {
        const char *call;
        backbone_status status;
    } calls[] = {
        {"get_options", backbone_get_options(NULL, &options)},
        {"get_options out", backbone_get_options(net, NULL)},
        {"init_weights", backbone_init_weights(NULL, 0)},
        {"load_weights", backbone_load_weights(NULL, "x", 0, NULL)},
        {"load_weights_with", backbone_load_weights_with(NULL, "x", NULL, NULL)},
        {"load_weights_with path", backbone_load_weights_with(net, NULL, NULL, NULL)},
        {"load_options_init", backbone_load_options_init(NULL, sizeof(backbone_load_options))},
        {"load_weights_from_memory", backbone_load_weights_from_memory(NULL, values, 9, NULL, NULL)},
        {"load_weights_from_memory data", backbone_load_weights_from_memory(net, NULL, 9, NULL, NULL)},
        {"inspect", backbone_inspect(NULL, NULL, NULL)},
        {"inspect_memory", backbone_inspect_memory(values, 9, NULL, NULL)},
        {"inspect_memory data", backbone_inspect_memory(NULL, 9, NULL, &report)},
        {"create_from_memory", backbone_create_from_memory(values, 9, NULL, NULL, NULL, NULL)},
        {"create_from_memory data", backbone_create_from_memory(NULL, 9, NULL, NULL, &created, NULL)},
        {"create_from_file", backbone_create_from_file(NULL, NULL, NULL, NULL, NULL)},
        {"load_weights path", backbone_load_weights(net, NULL, 0, NULL)},
        {"save_weights", backbone_save_weights(NULL, "x")},
        {"save_weights path", backbone_save_weights(net, NULL)},
        {"report_count", backbone_report_count(NULL, 0, &number)},
        {"report_get_entry", backbone_report_get_entry(NULL, 0, 0, &entry)},
        {"report_get_property", backbone_report_get_property(NULL, 0, &text)},
        {"freeze", backbone_freeze(NULL, 0)},
        {"set_training", backbone_set_training(NULL, 1)},
        {"get_training", backbone_get_training(NULL, &flag)},
        {"get_training out", backbone_get_training(net, NULL)},
        {"entry_count", backbone_entry_count(NULL, &number)},
        {"entry_count out", backbone_entry_count(net, NULL)},
        {"get_entry_info", backbone_get_entry_info(NULL, 0, &info)},
        {"get_entry_info out", backbone_get_entry_info(net, 0, NULL)},
        {"find_entry", backbone_find_entry(NULL, "conv1.weight", &number)},
        {"find_entry name", backbone_find_entry(net, NULL, &number)},
        {"find_entry out", backbone_find_entry(net, "conv1.weight", NULL)},
        {"read_entry", backbone_read_entry(NULL, 0, values, 588)},
        {"read_entry out", backbone_read_entry(net, 0, NULL, 588)},
        {"write_entry", backbone_write_entry(NULL, 0, values, 588)},
        {"write_entry data", backbone_write_entry(net, 0, NULL, 588)},
        {"output_shapes", backbone_output_shapes(NULL, shape, shapes, 1)},
        {"output_shapes input_shape", backbone_output_shapes(net, NULL, shapes, 1)},
        {"output_shapes out", backbone_output_shapes(net, shape, NULL, 1)},
        {"warning_count", backbone_warning_count(NULL, &number)},
        {"warning_count out", backbone_warning_count(net, NULL)},
        {"get_warning", backbone_get_warning(NULL, 0, &text)},
        {"get_warning out", backbone_get_warning(net, 0, NULL)},
        {"forward", backbone_forward(NULL, &input, &output, 1)},
        {"forward input", backbone_forward(net, NULL, &output, 1)},
        {"forward outputs", backbone_forward(net, &input, NULL, 1)},
        {"tape_options_init", backbone_tape_options_init(NULL, sizeof(backbone_tape_options))},
        {"tape_create", backbone_tape_create(NULL, NULL, &no_tape)},
        {"tape_create out", backbone_tape_create(net, NULL, NULL)},
        {"tape_bytes", backbone_tape_bytes(net, NULL, &number)},
        {"tape_bytes out", backbone_tape_bytes(net, tape, NULL)},
        {"forward_train", backbone_forward_train(NULL, tape, &input, &output, 1)},
        {"forward_train tape", backbone_forward_train(net, NULL, &input, &output, 1)},
        {"forward_train input", backbone_forward_train(net, tape, NULL, &output, 1)},
        {"forward_train outputs", backbone_forward_train(net, tape, &input, NULL, 1)},
        {"backward", backbone_backward(NULL, tape, &output, 1, NULL, NULL, 0, 0)},
        {"backward tape", backbone_backward(net, NULL, &output, 1, NULL, NULL, 0, 0)},
        {"backward output_gradients", backbone_backward(net, tape, NULL, 1, NULL, NULL, 0, 0)},
        {"feature_gradients", backbone_feature_gradients(NULL, tape, &output, 1, &output)},
        {"feature_gradients tape", backbone_feature_gradients(net, NULL, &output, 1, &output)},
        {"feature_gradients output_gradients", backbone_feature_gradients(net, tape, NULL, 1, &output)},
        {"feature_gradients feature_gradients", backbone_feature_gradients(net, tape, &output, 1, NULL)},
        {"trainable_count", backbone_trainable_count(NULL, &number)},
        {"trainable_count out", backbone_trainable_count(net, NULL)},
        {"trainable_slot", backbone_trainable_slot(NULL, 0, &number, &number)},
        {"trainable_slot offset", backbone_trainable_slot(net, 0, NULL, &number)},
        {"trainable_slot count", backbone_trainable_slot(net, 0, &number, NULL)},
        {"read_trainable", backbone_read_trainable(NULL, values, 9)},
        {"read_trainable out", backbone_read_trainable(net, NULL, 9)},
        {"write_trainable", backbone_write_trainable(NULL, values, 9)},
        {"write_trainable values", backbone_write_trainable(net, NULL, 9)},
        {"bind_parameters", backbone_bind_parameters(NULL, values, 9)},
        {"parameters_changed", backbone_parameters_changed(NULL, NULL, 0)},
        {"set_trainable", backbone_set_trainable(NULL, 0)},
        {"cross_entropy", backbone_cross_entropy(NULL, labels, 1, 0, &real, NULL)},
        {"cross_entropy labels", backbone_cross_entropy(&output, NULL, 1, 0, &real, NULL)},
        {"optimizer_options_init", backbone_optimizer_options_init(NULL, sizeof(backbone_optimizer_options), 0)},
        {"optimizer_create", backbone_optimizer_create(NULL, NULL, &no_optimizer)},
        {"optimizer_create out", backbone_optimizer_create(net, NULL, NULL)},
        {"optimizer_step", backbone_optimizer_step(NULL, optimizer, values, 9, 0, 0)},
        {"optimizer_step optimizer", backbone_optimizer_step(net, NULL, values, 9, 0, 0)},
        {"optimizer_step gradients", backbone_optimizer_step(net, optimizer, NULL, 9, 0, 0)},
        {"optimizer_follow", backbone_optimizer_follow(NULL, optimizer)},
        {"optimizer_follow optimizer", backbone_optimizer_follow(net, NULL)},
        {"clip_gradients", backbone_clip_gradients(NULL, values, 9, 1, &real)},
        {"clip_gradients gradients", backbone_clip_gradients(net, NULL, 9, 1, &real)},
        {"save_training", backbone_save_training(NULL, optimizer, "x.pth", 0)},
        {"save_training optimizer", backbone_save_training(net, NULL, "x.pth", 0)},
        {"save_training path", backbone_save_training(net, optimizer, NULL, 0)},
        {"load_training", backbone_load_training(NULL, optimizer, "x.pth", NULL)},
        {"load_training optimizer", backbone_load_training(net, NULL, "x.pth", NULL)},
        {"load_training path", backbone_load_training(net, optimizer, NULL, NULL)},
        {"statistics_begin", backbone_statistics_begin(NULL)},
        {"statistics_add", backbone_statistics_add(NULL, &input)},
        {"statistics_add input", backbone_statistics_add(net, NULL)},
        {"statistics_commit", backbone_statistics_commit(NULL)},
        {"statistics_cancel", backbone_statistics_cancel(NULL)},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        CHECK(calls[i].status == INVALID, "%s with NULL: %s", calls[i].call, backbone_status_string(calls[i].status));
    }
    backbone_free(NULL);
    backbone_report_free(NULL);
    backbone_tape_free(NULL);
    backbone_optimizer_free(NULL);
    backbone_tape_free(tape);
    backbone_free(net);
    backbone_optimizer_free(optimizer);
}

/* ---- Training --------------------------------------------------------------------------------------------------- */

/*
 * The known network multiplies the maximum of a window of the stem by 1.5; its last convolution is 0, so the second
 * block adds 0. With the gradient 1 of one pixel of C2 the bias of the last norm has the gradient 1, and a step of rate
 * 0.25 makes the pixels of C2 smaller by 0.25 where they are larger than that.
 */
static void a_step_of_training(const char *folder) {
    backbone_options options = small_options();
    backbone *net = known_network(&options);
    static float values[3][H][W];
    static float gradients[4096];
    float features[OUT_H * OUT_W], gradient[OUT_H * OUT_W] = {0}, bias = 1;
    char path[256];
    for (int c = 0; c < 3; c++) {
        for (int y = 0; y < H; y++) {
            for (int x = 0; x < W; x++) values[c][y][x] = pixel(c, y, x);
        }
    }
    const backbone_tensor input = {values, BACKBONE_DTYPE_FLOAT32, 0, {1, 3, H, W}, {3 * H * W, H * W, W, 1}};
    const backbone_tensor output = {features, BACKBONE_DTYPE_FLOAT32, 0, {1, 1, OUT_H, OUT_W}, {48, 48, OUT_W, 1}};
    const backbone_tensor loss = {gradient, BACKBONE_DTYPE_FLOAT32, 0, {1, 1, OUT_H, OUT_W}, {48, 48, OUT_W, 1}};
    backbone_tape *tape = NULL;
    backbone_optimizer *optimizer = NULL;
    size_t count = 0, index = 0, offset = 0, size = 0, bytes = 0;
    CHECK_OK(backbone_tape_create(net, NULL, &tape));
    CHECK_OK(backbone_optimizer_create(net, NULL, &optimizer));
    CHECK_OK(backbone_trainable_count(net, &count));
    CHECK_OK(backbone_find_entry(net, "layer1.1.bn2.bias", &index));
    CHECK_OK(backbone_trainable_slot(net, index, &offset, &size));
    CHECK(count <= 4096 && size == 1 && offset < count, "%zu of %zu at %zu", size, count, offset);

    CHECK_OK(backbone_forward_train(net, tape, &input, &output, 1));
    check_features("with a tape", values[0], features, OUT_W, 1);
    CHECK_OK(backbone_tape_bytes(net, tape, &bytes));
    CHECK(bytes > 0, "a full tape is empty");
    int brightest = 0;
    for (int i = 1; i < OUT_H * OUT_W; i++) {
        if (features[i] > features[brightest]) brightest = i;
    }
    gradient[brightest] = 1;
    CHECK_OK(backbone_backward(net, tape, &loss, 1, NULL, gradients, count, 0));
    CHECK(gradients[offset] == 1, "%g", (double)gradients[offset]);
    CHECK_FAILS(BACKBONE_STATUS_STALE, "empty", backbone_backward(net, tape, &loss, 1, NULL, gradients, count, 0));

    /* The only output has its own gradient, and what is not wanted is not written. */
    float of_output[OUT_H * OUT_W];
    backbone_tensor feature = output, nothing = output;
    feature.data = of_output;
    nothing.data = NULL;
    CHECK_OK(backbone_forward_train(net, tape, &input, &output, 1));
    CHECK_OK(backbone_feature_gradients(net, tape, &loss, 1, &feature));
    for (int i = 0; i < OUT_H * OUT_W; i++) {
        CHECK(of_output[i] == gradient[i], "%d: %g, not %g", i, (double)of_output[i], (double)gradient[i]);
    }
    CHECK_FAILS(BACKBONE_STATUS_STALE, "empty", backbone_feature_gradients(net, tape, &loss, 1, &feature));
    CHECK_OK(backbone_forward_train(net, tape, &input, &output, 1));
    CHECK_OK(backbone_feature_gradients(net, tape, &loss, 1, &nothing));

    /* Of that gradient alone. */
    for (size_t i = 0; i < count; i++) gradients[i] = i == offset ? gradients[i] : 0;
    CHECK_OK(backbone_optimizer_step(net, optimizer, gradients, count, 0.25, 0));
    CHECK_OK(backbone_read_entry(net, index, &bias, sizeof bias));
    CHECK(bias == -0.25f, "%g", (double)bias);
    float before = features[brightest];
    CHECK_OK(backbone_forward(net, &input, &output, 1));
    CHECK(fabsf(features[brightest] - (before - 0.25f)) < 1e-3f, "%g, not %g", (double)features[brightest],
          (double)before - 0.25);

    CHECK_OK(backbone_forward_train(net, tape, &input, &output, 1));
    CHECK_OK(backbone_freeze(net, 0));
    CHECK_FAILS(BACKBONE_STATUS_STALE, "frozen", backbone_backward(net, tape, &loss, 1, NULL, gradients, count, 0));
    CHECK_FAILS(BACKBONE_STATUS_STALE, "follow", backbone_optimizer_step(net, optimizer, gradients, count, 0.25, 0));
    CHECK_OK(backbone_optimizer_follow(net, optimizer));

    snprintf(path, sizeof path, "%s/training.pth", folder);
    CHECK_OK(backbone_save_training(net, optimizer, path, 0.25));
    CHECK_OK(backbone_init_weights(net, 1));
    CHECK_OK(backbone_load_training(net, optimizer, path, NULL));
    CHECK_OK(backbone_read_entry(net, index, &bias, sizeof bias));
    CHECK(bias == -0.25f, "%g", (double)bias);
    unlink(path);

    CHECK_OK(backbone_statistics_begin(net));
    CHECK_OK(backbone_statistics_add(net, &input));
    CHECK_OK(backbone_statistics_commit(net));
    backbone_tape_free(tape);
    backbone_free(net);
    backbone_optimizer_free(optimizer);
}

static void wrong_calls_change_nothing(void) {
    backbone_options options = small_options();
    backbone *net = known_network(&options);
    static float values[3][H][W];
    float features[OUT_H * OUT_W];
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            values[0][y][x] = pixel(0, y, x);
        }
    }
    for (int i = 0; i < OUT_H * OUT_W; i++) {
        features[i] = -1;
    }
    const backbone_tensor input = {values, BACKBONE_DTYPE_FLOAT32, 0, {1, 3, H, W}, {3 * H * W, H * W, W, 1}};
    const backbone_tensor output = {features, BACKBONE_DTYPE_FLOAT32, 0, {1, 1, OUT_H, OUT_W}, {48, 48, OUT_W, 1}};
    backbone_tensor bad;
    CHECK_FAILS(INVALID, "2", backbone_forward(net, &input, &output, 2));
#define CHECK_REFUSED(good, field, value)                                                                   \
    do {                                                                                                    \
        bad = good;                                                                                         \
        bad.field = (value);                                                                                \
        CHECK_FAILS(INVALID, "", backbone_forward(net, &good == &input ? &bad : &input,                     \
                                                  &good == &input ? &output : &bad, 1));                    \
    } while (0)
    CHECK_REFUSED(input, data, NULL);
    CHECK_REFUSED(input, dtype, 9);
    CHECK_REFUSED(input, dtype, BACKBONE_DTYPE_INT64);
    CHECK_REFUSED(input, shape[0], -1);
    CHECK_REFUSED(input, shape[1], 4);
    CHECK_REFUSED(input, shape[2], 0);
    CHECK_REFUSED(input, shape[3], INT64_MAX);
    CHECK_REFUSED(output, data, NULL);
    CHECK_REFUSED(output, dtype, BACKBONE_DTYPE_UINT8);
    CHECK_REFUSED(output, shape[2], OUT_H + 1);
    CHECK_REFUSED(output, strides[2], OUT_W - 1);
    CHECK_REFUSED(output, strides[3], -1);
#undef CHECK_REFUSED
    size_t index = 0;
    float weight = 9;
    CHECK_FAILS(BACKBONE_STATUS_UNKNOWN_NAME, "fc.weight", backbone_find_entry(net, "fc.weight", &index));
    CHECK_FAILS(INVALID, "30", backbone_read_entry(net, 30, &weight, sizeof weight));
    CHECK_FAILS(INVALID, "4", backbone_read_entry(net, 0, &weight, sizeof weight));
    CHECK_FAILS(INVALID, "4", backbone_write_entry(net, 0, &weight, sizeof weight));
    for (int i = 0; i < OUT_H * OUT_W; i++) {
        CHECK(features[i] == -1, "a call that failed wrote element %d", i);
    }
    CHECK_OK(backbone_forward(net, &input, &output, 1));
    check_features("after the errors", values[0], features, OUT_W, 1);
    backbone_free(net);
}

int main(void) {
    CHECK(strcmp(backbone_version_string(), BACKBONE_VERSION_STRING) == 0, "%s", backbone_version_string());
    CHECK(backbone_abi_version() == BACKBONE_ABI_VERSION, "%d", (int)backbone_abi_version());
    CHECK(backbone_status_string(12345) != NULL, "an unknown status");

    char folder[] = "/tmp/backbone-capi-XXXXXX";
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return EXIT_FAILURE;
    }
    float_input_in_all_strides();
    byte_input_is_normalised();
    weights_survive_a_file(folder);
    freezing_is_a_state();
    wrong_options_are_named();
    pixels_as_floats_are_warned_of();
    null_is_an_error_everywhere();
    wrong_calls_change_nothing();
    a_step_of_training(folder);
    rmdir(folder);

    printf("%d checks failed\n", failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
