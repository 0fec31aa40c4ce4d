/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * Callers that round otherwise, flush subnormal numbers to zero or trap: weights, files and features have the bits that
 * they have without that, on the caller's thread and on workers, and the caller's settings and flags are left alone.
 */

#define _GNU_SOURCE /* feenableexcept */

#include <fenv.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "backbone.h"
#include "check.h"

enum { SIZE = 64, WIDTH = 16, C2 = WIDTH * SIZE / 4 * SIZE / 4, WEIGHTS = WIDTH * 3 * 7 * 7 };

typedef struct {
    float drawn[WEIGHTS], loaded[WEIGHTS];
    float features[C2], tiny[C2], bytes[C2], trained[C2];
    float mean[WIDTH];
} results;

#define DO(call) CHECK((call) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message())

static void forward(backbone *net, const void *pixels, int32_t dtype, float *features) {
    backbone_tensor image = {(void *)pixels, dtype, 0, {1, 3, SIZE, SIZE}, {3 * SIZE * SIZE, SIZE * SIZE, SIZE, 1}};
    backbone_tensor c2 = {features, BACKBONE_DTYPE_FLOAT32, 0, {1, WIDTH, SIZE / 4, SIZE / 4},
                          {C2, SIZE * SIZE / 16, SIZE / 4, 1}};
    DO(backbone_forward(net, &image, &c2, 1));
}

static void read_entry(backbone *net, const char *name, float *out, size_t count) {
    size_t index;
    DO(backbone_find_entry(net, name, &index));
    DO(backbone_read_entry(net, index, out, count * sizeof *out));
}

/* Everything that computes with numbers, on a new handle: its workers start with the caller's present settings. */
static void compute(int32_t threads, const char *path, results *out) {
    static float pixels[3 * SIZE * SIZE], tiny[3 * SIZE * SIZE];
    static unsigned char bytes[3 * SIZE * SIZE];
    static const float mean[] = BACKBONE_IMAGENET_MEAN, deviation[] = BACKBONE_IMAGENET_STD_DEV;
    for (int i = 0; i < 3 * SIZE * SIZE; i++) {
        pixels[i] = (float)(i * 7 % 31) / 16 - 1;
        /* Subnormal, built of bits: nothing here may compute. */
        uint32_t bits = (uint32_t)(i * 7919 % 8388607 + 1);
        memcpy(&tiny[i], &bits, sizeof bits);
        bytes[i] = (unsigned char)(i * 13 % 256);
    }
    backbone_options options;
    DO(backbone_options_init(&options, sizeof options));
    options.depth = 18;
    options.base_channels = WIDTH;
    options.out_stages = BACKBONE_STAGE_C2;
    options.threads = threads;
    options.mean = mean;
    options.std_dev = deviation;
    backbone *net = NULL;
    DO(backbone_create(&options, &net));
    DO(backbone_init_weights(net, 3));
    read_entry(net, "conv1.weight", out->drawn, WEIGHTS);
    DO(backbone_save_weights(net, path));
    DO(backbone_load_weights(net, path, 1, NULL));
    read_entry(net, "conv1.weight", out->loaded, WEIGHTS);
    forward(net, pixels, BACKBONE_DTYPE_FLOAT32, out->features);
    forward(net, tiny, BACKBONE_DTYPE_FLOAT32, out->tiny);
    forward(net, bytes, BACKBONE_DTYPE_UINT8, out->bytes);
    DO(backbone_set_training(net, 1));
    forward(net, pixels, BACKBONE_DTYPE_FLOAT32, out->trained);
    read_entry(net, "bn1.running_mean", out->mean, WIDTH);
    backbone_free(net);
}

/* What a setting makes of one third, and of half the smallest normal number. */
static void probe(volatile float *third, volatile float *subnormal) {
    volatile float one = 1, three = 3, smallest = 1.17549435e-38f, half = 0.5f;
    *third = one / three;
    *subnormal = smallest * half;
}

static void check_setting(const char *name, int32_t threads, const char *path, const results *expected) {
    static results found;
    volatile float before[2], after[2];
    memset(&found, 0, sizeof found);
    int trapping = fegetexcept();
    fedisableexcept(FE_ALL_EXCEPT);
    probe(&before[0], &before[1]);
    feclearexcept(FE_ALL_EXCEPT);
    if (trapping == 0) feraiseexcept(FE_UNDERFLOW);
    feenableexcept(trapping);
    int rounding = fegetround(), flags = fetestexcept(FE_ALL_EXCEPT);
#if defined(__x86_64__)
    unsigned control = _mm_getcsr();
#endif
    compute(threads, path, &found);
#if defined(__x86_64__)
    CHECK(_mm_getcsr() == control, "%s: MXCSR was %x, is %x", name, control, _mm_getcsr());
#endif
    CHECK(fegetround() == rounding, "%s: rounds as %d", name, fegetround());
    CHECK(fetestexcept(FE_ALL_EXCEPT) == flags, "%s: flags are %x", name, fetestexcept(FE_ALL_EXCEPT));
    CHECK(fegetexcept() == trapping, "%s: traps %x", name, fegetexcept());
    fedisableexcept(FE_ALL_EXCEPT);
    probe(&after[0], &after[1]);
    CHECK(before[0] == after[0] && before[1] == after[1], "%s: computes otherwise", name);
    CHECK(memcmp(found.drawn, expected->drawn, sizeof found.drawn) == 0, "%s: other weights", name);
    CHECK(memcmp(found.loaded, expected->loaded, sizeof found.loaded) == 0, "%s: loads others", name);
    CHECK(memcmp(found.features, expected->features, sizeof found.features) == 0, "%s: other features", name);
    CHECK(memcmp(found.tiny, expected->tiny, sizeof found.tiny) == 0, "%s: other features of tiny numbers", name);
    CHECK(memcmp(found.bytes, expected->bytes, sizeof found.bytes) == 0, "%s: other features of bytes", name);
    CHECK(memcmp(found.trained, expected->trained, sizeof found.trained) == 0, "%s: other training", name);
    CHECK(memcmp(found.mean, expected->mean, sizeof found.mean) == 0, "%s: other statistics", name);
}

int main(void) {
    char path[] = "/tmp/backbone-float-environment-XXXXXX";
    int file = mkstemp(path);
    CHECK(file >= 0, "no temporary file");
    close(file);
    static results expected;
    compute(1, path, &expected);
    float sum = 0;
    for (int i = 0; i < C2; i++) sum += expected.tiny[i];
    CHECK(sum > 0, "subnormal numbers make no difference to this network");

    static const struct {
        const char *name;
        int rounding;
        unsigned flush;
        int trapping;
    } settings[] = {
        {"the usual", FE_TONEAREST, 0, 0},
        {"towards zero", FE_TOWARDZERO, 0, 0},
        {"upward", FE_UPWARD, 0, 0},
        {"downward", FE_DOWNWARD, 0, 0},
        {"flush to zero", FE_TONEAREST, 0x8000, 0},
        {"subnormal inputs are zero", FE_TONEAREST, 0x0040, 0},
        {"both, downward", FE_DOWNWARD, 0x8040, 0},
        {"traps", FE_TONEAREST, 0, FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW | FE_UNDERFLOW | FE_INEXACT},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        for (int32_t threads = 1; threads <= 3; threads++) {
            fesetround(settings[i].rounding);
#if defined(__x86_64__)
            _mm_setcsr(_mm_getcsr() | settings[i].flush);
#endif
            feenableexcept(settings[i].trapping);
            check_setting(settings[i].name, threads, path, &expected);
            fesetenv(FE_DFL_ENV);
        }
    }
    unlink(path);
    if (failures == 0) printf("the same bits with every setting\n");
    return failures == 0 ? 0 : 1;
}
