/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * The library beside others that compute in the same process: the host's own OpenMP, the host's own OpenBLAS, and
 * another copy of this library from another file, as two plugins may bring one each. Features are the bits that they
 * were before any of them ran; the others' numbers are whole, and known.
 *
 * Usage: beside LIBRARY.so COPY.so
 */

#define _POSIX_C_SOURCE 200809L

#include <dlfcn.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backbone.h"
#include "check.h"

enum { SIZE = 64, WIDTH = 16, C2 = WIDTH * SIZE / 4 * SIZE / 4, ROUNDS = 40 };

/* ---- Copies of the library -------------------------------------------------------------------------------------- */

typedef struct {
    __typeof__(backbone_options_init) *options_init;
    __typeof__(backbone_create) *create;
    __typeof__(backbone_forward) *forward;
    __typeof__(backbone_free) *free;
    __typeof__(backbone_last_error_message) *message;
    backbone *net;
} copy;

static float expected[C2];
/* As where copies of the library that share an OpenBLAS set its number of threads under each other. */
static int bits_may_differ;

static void *find(void *library, const char *name) {
    void *function = library == NULL ? NULL : dlsym(library, name);
    if (function == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    return function;
}

/* With its symbols in sight of all that is loaded later: even then each copy must call itself alone. */
static copy open_copy(const char *path) {
    copy result;
    void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    *(void **)&result.options_init = find(library, "backbone_options_init");
    *(void **)&result.create = find(library, "backbone_create");
    *(void **)&result.forward = find(library, "backbone_forward");
    *(void **)&result.free = find(library, "backbone_free");
    *(void **)&result.message = find(library, "backbone_last_error_message");
    backbone_options options;
    result.options_init(&options, sizeof options);
    options.depth = 18;
    options.base_channels = WIDTH;
    options.out_stages = BACKBONE_STAGE_C2;
    options.threads = 2;
    CHECK(result.create(&options, &result.net) == BACKBONE_STATUS_OK, "%s", result.message());
    return result;
}

static void forward(const copy *library, float *features) {
    float pixels[3 * SIZE * SIZE];
    for (int i = 0; i < 3 * SIZE * SIZE; i++) pixels[i] = (float)(i % 31) / 16 - 1;
    backbone_tensor image = {pixels, BACKBONE_DTYPE_FLOAT32, 0, {1, 3, SIZE, SIZE},
                             {3 * SIZE * SIZE, SIZE * SIZE, SIZE, 1}};
    backbone_tensor c2 = {features, BACKBONE_DTYPE_FLOAT32, 0, {1, WIDTH, SIZE / 4, SIZE / 4},
                          {C2, SIZE * SIZE / 16, SIZE / 4, 1}};
    CHECK(library->forward(library->net, &image, &c2, 1) == BACKBONE_STATUS_OK, "%s", library->message());
}

static void *same_features(void *library) {
    float features[C2];
    for (int i = 0; i < ROUNDS; i++) {
        forward(library, features);
        double error = 0, largest = 0;
        for (int k = 0; k < C2; k++) {
            error = fmax(error, fabs((double)features[k] - expected[k]));
            largest = fmax(largest, fabs((double)expected[k]));
        }
        CHECK(error <= (bits_may_differ ? 1e-6 * largest : 0) && largest > 0, "%g in round %d", error / largest, i);
    }
    return NULL;
}

/* A failure of each: the message is that library's own. */
static void *own_messages(void *library) {
    copy *self = library;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(self->forward(self->net, NULL, NULL, 0) == BACKBONE_STATUS_INVALID_ARGUMENT, "no failure");
        CHECK(strstr(self->message(), "input") != NULL, "says: %s", self->message());
    }
    return NULL;
}

/* ---- What the host computes itself ------------------------------------------------------------------------------ */

static void *openmp_sums(void *unused) {
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        long sum = 0;
        int threads = 0;
#pragma omp parallel num_threads(2) reduction(+ : sum)
        {
#pragma omp single
            threads = omp_get_num_threads();
#pragma omp for
            for (long k = 1; k <= 200000; k++) sum += k;
        }
        CHECK(sum == 200000L * 200001 / 2, "%ld with %d threads", sum, threads);
        CHECK(threads == 2, "%d threads", threads);
    }
    return NULL;
}

/* Every thread of a region calls the library, whose own threads work for one of them at a time. */
static void *forward_in_region(void *library) {
#pragma omp parallel num_threads(4)
    same_features(library);
    return NULL;
}

static void (*sgemm)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
static int (*get_blas_threads)(void);

static void *blas_products(void *unused) {
    (void)unused;
    enum { N = 96 };
    static float a[N * N], b[N * N];
    float *c = malloc(sizeof a);
    for (int i = 0; i < N * N; i++) {
        a[i] = (float)(i % 5);
        b[i] = 1;
    }
    for (int i = 0; i < ROUNDS; i++) {
        sgemm(101, 111, 111, N, N, N, 1, a, N, b, N, 0, c, N);
        for (int row = 0; row < N; row++) {
            float sum = 0;
            for (int k = 0; k < N; k++) sum += a[row * N + k];
            for (int column = 0; column < N; column++) CHECK(c[row * N + column] == sum, "row %d", row);
        }
    }
    free(c);
    return NULL;
}

/* ---- Together --------------------------------------------------------------------------------------------------- */

typedef struct {
    void *(*run)(void *);
    void *argument;
} job;

static void together(const char *what, const job *jobs, int count) {
    pthread_t threads[8];
    for (int i = 0; i < count; i++)
        CHECK(pthread_create(&threads[i], NULL, jobs[i].run, jobs[i].argument) == 0, "no thread");
    for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
    printf("%-60s %s\n", what, failures == 0 ? "right" : "WRONG");
}

/* In the child of a process in which all of them have run: there the library alone goes on. */
static void forked(copy *library) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        failures = 0;
        same_features(library);
        _exit(failures != 0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "the child ended with %d", status);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: beside LIBRARY.so COPY.so\n");
        return 2;
    }
    copy first = open_copy(argv[1]);
    forward(&first, expected);
    int is_portable = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_NOLOAD) != NULL;
    copy second = open_copy(argv[2]);
    CHECK(first.forward != second.forward, "%s and %s are one library", argv[1], argv[2]);
    void *blas = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    *(void **)&sgemm = find(blas, "cblas_sgemm");
    *(void **)&get_blas_threads = find(blas, "openblas_get_num_threads");
    int blas_threads = get_blas_threads();

    same_features(&second);
    together("one after the other", (job[]){{openmp_sums, NULL}}, 1);
    same_features(&first);
    together("OpenMP beside the library", (job[]){{openmp_sums, NULL}, {same_features, &first}}, 2);
    together("the library in an OpenMP region", (job[]){{forward_in_region, &first}}, 1);
    together("OpenBLAS beside the library", (job[]){{blas_products, NULL}, {same_features, &first}}, 2);
    bits_may_differ = is_portable;
    together("two copies of the library", (job[]){{same_features, &first}, {same_features, &second}}, 2);
    together("all of them, and failures",
             (job[]){{openmp_sums, NULL}, {blas_products, NULL}, {same_features, &first}, {same_features, &second},
                     {own_messages, &first}, {own_messages, &second}},
             6);
    bits_may_differ = 0;
    CHECK(get_blas_threads() == blas_threads, "%d threads instead of %d", get_blas_threads(), blas_threads);
    forked(&first);
    forked(&second);
    first.free(first.net);
    second.free(second.net);
    return failures == 0 ? 0 : 1;
}
