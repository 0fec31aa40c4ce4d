/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * Decodes a JPEG, computes the features C2..C5 of a ResNet, or all of its outputs, and prints the shape and a few
 * statistics of each.
 *
 *     cc -std=c99 {features,images,options}.c -lbackbone -ljpeg -lm -o features
 *     ./features photo.jpg --weights resnet50.pth
 */

#define _XOPEN_SOURCE 700 /* clock_gettime, getrusage */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "backbone.h"
#include "images.h"
#include "options.h"

static const char usage[] =
    "Usage: features IMAGE.jpg [options]\n"
    "\n"
    "Prints shape, minimum, mean, maximum and standard deviation of the features C2..C5 of a JPEG.\n"
    "\n"
    "  --weights FILE       a PyTorch .pth or a safetensors file; without it the weights are random, of seed 0\n"
    "  --depth N            18, 34, 50, 101 or 152 (default 50)\n"
    "  --architecture NAME  instead of --depth: resnet50d, seresnet50, resnet20, ...\n"
    "  --all                also C1, the pooled vector and the logits\n"
    "  --base-channels N    width of the stem (default 64; smaller ones are for tests)\n"
    "  --threads N          threads to compute with (default: those this process may use)\n"
    "  --time               also print the time of each step, and the peak memory of this process\n"
    "  --help               print this text\n";

struct arguments {
    const char *image;
    const char *weights;
    const char *architecture;
    int32_t depth;
    int32_t base_channels;
    int32_t threads;
    int32_t time;
    int32_t all;
};

/* ---- The command line ------------------------------------------------------------------------------------------- */

static const struct option options[] = {
    {"--weights", TEXT, offsetof(struct arguments, weights), 0, 0},
    {"--architecture", TEXT, offsetof(struct arguments, architecture), 0, 0},
    {"--all", FLAG, offsetof(struct arguments, all), 0, 0},
    {"--time", FLAG, offsetof(struct arguments, time), 0, 0},
    {"--depth", WHOLE, offsetof(struct arguments, depth), 18, 152},
    {"--base-channels", WHOLE, offsetof(struct arguments, base_channels), 1, 256},
    {"--threads", WHOLE, offsetof(struct arguments, threads), 0, 1024},
};
static const struct command_line command = {
    "features", usage, "", "image", offsetof(struct arguments, image), options, sizeof options / sizeof *options};

/* ---- Features --------------------------------------------------------------------------------------------------- */

enum { OUTPUTS = 7 };

/* The outputs in their order, and their bits. */
static const struct {
    const char *name;
    uint32_t bit;
} kinds[OUTPUTS] = {{"C1", BACKBONE_STAGE_C1},         {"C2", BACKBONE_STAGE_C2},
                    {"C3", BACKBONE_STAGE_C3},         {"C4", BACKBONE_STAGE_C4},
                    {"C5", BACKBONE_STAGE_C5},         {"pooled", BACKBONE_STAGE_POOLED},
                    {"logits", BACKBONE_STAGE_LOGITS}};

static int report(const char *what) {
    fprintf(stderr, "features: %s: %s\n", what, backbone_last_error_message());
    return 0;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Prints how long a step took since *last, which becomes now. */
static void print_time(const struct arguments *arguments, const char *step, double *last) {
    double now = seconds();
    if (arguments->time) {
        printf("%-16s %9.1f ms\n", step, 1e3 * (now - *last));
    }
    *last = now;
}

static int64_t element_count(const backbone_tensor *tensor) {
    return tensor->shape[0] * tensor->shape[1] * tensor->shape[2] * tensor->shape[3];
}

static void print_statistics(const char *name, const backbone_tensor *tensor) {
    const float *values = tensor->data;
    int64_t count = element_count(tensor);
    double minimum = INFINITY, maximum = -INFINITY, sum = 0, squares = 0;
    for (int64_t i = 0; i < count; i++) {
        minimum = fmin(minimum, values[i]);
        maximum = fmax(maximum, values[i]);
        sum += values[i];
    }
    double mean = sum / (double)count;
    for (int64_t i = 0; i < count; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
    }
    char shape[64];
    snprintf(shape, sizeof shape, "%lld x %lld x %lld x %lld", (long long)tensor->shape[0], (long long)tensor->shape[1],
             (long long)tensor->shape[2], (long long)tensor->shape[3]);
    printf("%-6s  %-22s %12.6g %12.6g %12.6g %12.6g\n", name, shape, minimum, mean, maximum,
           sqrt(squares / (double)count));
}

static int create(const struct arguments *arguments, backbone **out) {
    static const float mean[3] = BACKBONE_IMAGENET_MEAN;
    static const float std_dev[3] = BACKBONE_IMAGENET_STD_DEV;
    backbone_options options;
    if (backbone_options_init(&options, sizeof options) != BACKBONE_STATUS_OK) {
        return report("options");
    }
    options.depth = arguments->architecture == NULL ? arguments->depth : 0;
    options.architecture = arguments->architecture;
    if (arguments->all) {
        options.out_stages |= BACKBONE_STAGE_C1 | BACKBONE_STAGE_POOLED | BACKBONE_STAGE_LOGITS;
    }
    options.base_channels = arguments->base_channels;
    options.threads = arguments->threads;
    options.mean = mean;
    options.std_dev = std_dev;
    return backbone_create(&options, out) == BACKBONE_STATUS_OK ? 1 : report("create");
}

/* The names of what the network gives, whose number is returned; 0 after an error. */
static int name_outputs(const backbone *net, const char *names[OUTPUTS]) {
    backbone_options options = {.struct_size = sizeof options};
    if (backbone_get_options(net, &options) != BACKBONE_STATUS_OK) {
        return report("options");
    }
    int count = 0;
    for (int i = 0; i < OUTPUTS; i++) {
        if ((options.out_stages & kinds[i].bit) != 0) {
            names[count++] = kinds[i].name;
        }
    }
    return count;
}

/* Memory for the outputs, one after the other in a tensor's usual order (NCHW). Free outputs[i].data. */
static int allocate_outputs(const backbone *net, const backbone_tensor *input, backbone_tensor outputs[OUTPUTS],
                            int count) {
    int64_t shapes[OUTPUTS][4];
    if (backbone_output_shapes(net, input->shape, shapes[0], (size_t)count) != BACKBONE_STATUS_OK) {
        return report("output shapes");
    }
    for (int i = 0; i < count; i++) {
        backbone_tensor *output = &outputs[i];
        output->dtype = BACKBONE_DTYPE_FLOAT32;
        memcpy(output->shape, shapes[i], sizeof output->shape);
        output->strides[3] = 1;
        for (int d = 3; d > 0; d--) {
            output->strides[d - 1] = output->strides[d] * output->shape[d];
        }
        output->data = malloc((size_t)element_count(output) * sizeof(float));
        if (output->data == NULL) {
            fprintf(stderr, "features: no memory for the features\n");
            return 0;
        }
    }
    return 1;
}

static int run(const struct arguments *arguments, backbone *net, const struct image *image,
               backbone_tensor outputs[OUTPUTS]) {
    double last = seconds();
    const char *names[OUTPUTS];
    int count = name_outputs(net, names);
    if (count == 0) {
        return 0;
    }
    if (arguments->weights != NULL) {
        if (backbone_load_weights(net, arguments->weights, 0, NULL) != BACKBONE_STATUS_OK) {
            return report("weights");
        }
        print_time(arguments, "load weights", &last);
    }

    /* The decoded rows, unchanged: the strides say that channels are innermost. */
    int64_t h = image->height, w = image->width;
    backbone_tensor input = {image->pixels, BACKBONE_DTYPE_UINT8, 0, {1, 3, h, w}, {h * w * 3, 1, w * 3, 3}};
    if (!allocate_outputs(net, &input, outputs, count)) {
        return 0;
    }
    last = seconds();
    if (backbone_forward(net, &input, outputs, (size_t)count) != BACKBONE_STATUS_OK) {
        return report("forward");
    }
    print_time(arguments, "first forward pass", &last);
    if (arguments->time) {
        if (backbone_forward(net, &input, outputs, (size_t)count) != BACKBONE_STATUS_OK) {
            return report("forward");
        }
        print_time(arguments, "second forward pass", &last);
    }

    printf("%-6s  %-22s %12s %12s %12s %12s\n", "output", "shape (N C H W)", "min", "mean", "max", "std");
    for (int i = 0; i < count; i++) {
        print_statistics(names[i], &outputs[i]);
    }
    return 1;
}

int main(int argc, char **argv) {
    double start = seconds();
    struct arguments arguments = {NULL, NULL, NULL, 50, 64, 0, 0, 0};
    int go = read_options(&command, argc, argv, &arguments);
    if (go <= 0) {
        return go == 0 ? EXIT_SUCCESS : 2;
    }

    struct image image = {NULL, 0, 0};
    backbone *net = NULL;
    backbone_tensor outputs[OUTPUTS];
    memset(outputs, 0, sizeof outputs);
    int done = read_image("features", arguments.image, &image) && create(&arguments, &net) &&
               run(&arguments, net, &image, outputs);
    for (int i = 0; i < OUTPUTS; i++) {
        free(outputs[i].data);
    }
    backbone_free(net);
    free(image.pixels);

    print_time(&arguments, "since start", &start);
    struct rusage used;
    if (arguments.time && getrusage(RUSAGE_SELF, &used) == 0) {
        printf("%-16s %9.1f MiB\n", "peak memory", (double)used.ru_maxrss / 1024);
    }
    if (fflush(stdout) != 0) {
        perror("features");
        done = 0;
    }
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
