/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * Draws which parts of a JPEG raise the score of a class, by Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391).
 *
 *     cc -std=c99 {gradcam,heat,images,options}.c -lbackbone -ljpeg -lm -o gradcam
 *     ./gradcam cat.jpg --weights resnet50.pth --class 281
 */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backbone.h"
#include "heat.h"
#include "images.h"
#include "options.h"

static const char usage[] =
    "Usage: gradcam IMAGE.jpg --weights FILE [options]\n"
    "\n"
    "Draws which parts of a JPEG raise the score of a class, over the picture.\n"
    "\n"
    "  --weights FILE  a .pth or safetensors file with the classifier; it says which network it is\n"
    "  --class N       the number of the class, from 0 (default: the most likely one)\n"
    "  --layer N       the stage whose features are weighted, 1 to 4 (default: the last one)\n"
    "  --output FILE   a PPM (default gradcam.ppm)\n"
    "  --values        also print the map as numbers, a line for each row\n"
    "  --help          print this text\n";

struct arguments {
    const char *image;
    const char *weights;
    const char *output;
    int32_t class_number; /* -1: the most likely one */
    int32_t layer;        /* 0: the last one */
    int32_t values;
};

/* A network, and what Grad-CAM needs of it. */
struct explained {
    backbone *net;
    backbone_tape *tape;
    size_t count;               /* of outputs: the stages, then the logits */
    size_t stage;               /* whose features are weighted */
    backbone_tensor outputs[5];
    backbone_tensor gradient;   /* of the class's logit with respect to the features */
    float *heat;                /* the map, of the size of the features */
};

/* ---- The command line ------------------------------------------------------------------------------------------- */

static const struct option options[] = {
    {"--weights", TEXT, offsetof(struct arguments, weights), 0, 0},
    {"--output", TEXT, offsetof(struct arguments, output), 0, 0},
    {"--values", FLAG, offsetof(struct arguments, values), 0, 0},
    {"--class", WHOLE, offsetof(struct arguments, class_number), 0, INT32_MAX},
    {"--layer", WHOLE, offsetof(struct arguments, layer), 1, 4},
};

/* As read_options. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments) {
    const struct command_line command = {
        "gradcam", usage, "", "image", offsetof(struct arguments, image), options, sizeof options / sizeof *options};
    int go = read_options(&command, argc, argv, arguments);
    return go > 0 && arguments->weights == NULL ? misuse(&command, "no --weights given") : go;
}

/* ---- The network ------------------------------------------------------------------------------------------------ */

static int report(const char *what) {
    fprintf(stderr, "gradcam: %s: %s\n", what, backbone_last_error_message());
    return 0;
}

static int no_memory(void) {
    fprintf(stderr, "gradcam: no memory; pass a smaller image\n");
    return 0;
}

/* Of the stages asked for, those that the network does not have are dropped. */
static int open_network(const struct arguments *arguments, struct explained *explained) {
    static const float mean[3] = BACKBONE_IMAGENET_MEAN, std_dev[3] = BACKBONE_IMAGENET_STD_DEV;
    backbone_options options;
    if (backbone_options_init(&options, sizeof options) != BACKBONE_STATUS_OK) {
        return report("options");
    }
    options.out_stages = BACKBONE_STAGE_ALL | BACKBONE_STAGE_LOGITS;
    options.mean = mean;
    options.std_dev = std_dev;
    if (backbone_create_from_file(arguments->weights, &options, NULL, &explained->net, NULL) != BACKBONE_STATUS_OK) {
        return report("weights");
    }
    if (backbone_get_options(explained->net, &options) != BACKBONE_STATUS_OK) {
        return report("options");
    }
    int32_t last = options.out_stages & BACKBONE_STAGE_C5 ? 4 : 3;
    if (arguments->layer > last) {
        fprintf(stderr, "gradcam: --layer is %d; the network has layers 1 to %d\n", (int)arguments->layer, (int)last);
        return 0;
    }
    explained->count = (size_t)last + 1;
    explained->stage = (size_t)(arguments->layer > 0 ? arguments->layer : last) - 1;
    return backbone_tape_create(explained->net, NULL, &explained->tape) == BACKBONE_STATUS_OK ? 1 : report("tape");
}

/* A contiguous tensor of zeros; its data is NULL if memory runs out. */
static backbone_tensor zeros(const int64_t s[4]) {
    float *data = calloc((size_t)(s[0] * s[1] * s[2] * s[3]), sizeof *data);
    return (backbone_tensor){data,
                             BACKBONE_DTYPE_FLOAT32,
                             0,
                             {s[0], s[1], s[2], s[3]},
                             {s[1] * s[2] * s[3], s[2] * s[3], s[3], 1}};
}

static int allocate(struct explained *explained, const backbone_tensor *input) {
    int64_t shapes[5][4];
    if (backbone_output_shapes(explained->net, input->shape, shapes[0], explained->count) != BACKBONE_STATUS_OK) {
        return report("image");
    }
    int done = 1;
    for (size_t i = 0; i < explained->count; i++) {
        explained->outputs[i] = zeros(shapes[i]);
        done = done && explained->outputs[i].data != NULL;
    }
    const int64_t *feature = shapes[explained->stage];
    explained->gradient = zeros(feature);
    explained->heat = malloc((size_t)(feature[2] * feature[3]) * sizeof *explained->heat);
    return done && explained->gradient.data && explained->heat ? 1 : no_memory();
}

/* ---- Grad-CAM --------------------------------------------------------------------------------------------------- */

/* The class that is asked for, or the most likely one, after its number and probability were printed; -1: an error. */
static int64_t choose_class(const struct arguments *arguments, const backbone_tensor *logits) {
    const float *values = logits->data;
    int64_t chosen = arguments->class_number, count = logits->shape[1], best = 0;
    if (chosen >= count) {
        fprintf(stderr, "gradcam: --class is %d; the network has classes 0 to %d\n", (int)chosen, (int)count - 1);
        return -1;
    }
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        best = values[i] > values[best] ? i : best;
    }
    for (int64_t i = 0; i < count; i++) {
        sum += exp((double)values[i] - values[best]);
    }
    if (!isfinite(sum)) {
        fprintf(stderr, "gradcam: the logits are NaN or infinite; check the weights in %s\n", arguments->weights);
        return -1;
    }
    chosen = chosen < 0 ? best : chosen;
    double probability = exp((double)values[chosen] - values[best]) / sum;
    printf("class %lld, probability %.2f %%\n", (long long)chosen, 100 * probability);
    return chosen;
}

/* The gradient of the class's logit with respect to the features of the stage. */
static int compute_gradient(const struct explained *explained, int64_t chosen) {
    backbone_tensor given[5] = {{.data = NULL}}, wanted[5] = {{.data = NULL}}; /* NULL: zeros, and not wanted */
    backbone_tensor *of_logits = &given[explained->count - 1];
    *of_logits = zeros(explained->outputs[explained->count - 1].shape);
    if (of_logits->data == NULL) {
        return no_memory();
    }
    ((float *)of_logits->data)[chosen] = 1;
    wanted[explained->stage] = explained->gradient;
    backbone_status status =
        backbone_feature_gradients(explained->net, explained->tape, given, explained->count, wanted);
    free(of_logits->data);
    return status == BACKBONE_STATUS_OK ? 1 : report("gradient");
}

/* Each channel is weighted by its mean gradient. The map is the sum of the channels where that is positive. */
static int grad_cam(const struct arguments *arguments, struct explained *explained, const backbone_tensor *input) {
    if (backbone_forward_train(explained->net, explained->tape, input, explained->outputs, explained->count) !=
        BACKBONE_STATUS_OK) {
        return report("forward");
    }
    int64_t chosen = choose_class(arguments, &explained->outputs[explained->count - 1]);
    if (chosen < 0 || !compute_gradient(explained, chosen)) {
        return 0;
    }
    const backbone_tensor *features = &explained->outputs[explained->stage];
    const float *values = features->data, *slopes = explained->gradient.data;
    int64_t channels = features->shape[1], positions = features->shape[2] * features->shape[3];
    double *sums = calloc((size_t)positions, sizeof *sums);
    if (sums == NULL) {
        return no_memory();
    }
    for (int64_t c = 0; c < channels; c++) {
        double weight = 0;
        for (int64_t p = 0; p < positions; p++) {
            weight += slopes[c * positions + p] / (double)positions;
        }
        for (int64_t p = 0; p < positions; p++) {
            sums[p] += weight * values[c * positions + p];
        }
    }
    for (int64_t p = 0; p < positions; p++) {
        explained->heat[p] = isfinite(sums[p]) ? (float)fmax(sums[p], 0) : NAN;
    }
    free(sums);
    return 1;
}

/* ---- The result ------------------------------------------------------------------------------------------------- */

static int show(const struct arguments *arguments, const struct explained *explained, const struct image *image) {
    int64_t h = explained->gradient.shape[2], w = explained->gradient.shape[3], best = 0, stride = 1;
    while ((image->height + stride - 1) / stride > h || (image->width + stride - 1) / stride > w) {
        stride *= 2;
    }
    for (int64_t p = 0; p < h * w; p++) {
        best = explained->heat[p] > explained->heat[best] ? p : best;
        if (!isfinite(explained->heat[p])) {
            fprintf(stderr, "gradcam: gradients are NaN or infinite; check the weights in %s\n", arguments->weights);
            return 0;
        }
    }
    printf("strongest at row %lld, column %lld of %lld x %lld\n", (long long)(best / w * stride),
           (long long)(best % w * stride), (long long)image->height, (long long)image->width);
    for (int64_t p = 0; arguments->values && p < h * w; p++) {
        printf("%.9g%c", explained->heat[p], p % w == w - 1 ? '\n' : ' ');
    }
    struct heat heat = {explained->heat, h, w, stride};
    return write_heat("gradcam", arguments->output, &heat, image);
}

int main(int argc, char **argv) {
    struct arguments arguments = {.output = "gradcam.ppm", .class_number = -1};
    int go = parse_arguments(argc, argv, &arguments);
    if (go <= 0) {
        return go == 0 ? EXIT_SUCCESS : 2;
    }
    struct image image = {NULL, 0, 0};
    struct explained explained;
    memset(&explained, 0, sizeof explained);
    int done = read_image("gradcam", arguments.image, &image) && open_network(&arguments, &explained);
    if (done) {
        int64_t h = image.height, w = image.width;
        backbone_tensor input = {image.pixels, BACKBONE_DTYPE_UINT8, 0, {1, 3, h, w}, {h * w * 3, 1, w * 3, 3}};
        done = allocate(&explained, &input) && grad_cam(&arguments, &explained, &input) &&
               show(&arguments, &explained, &image);
    }
    free(explained.heat);
    free(explained.gradient.data);
    for (size_t i = 0; i < explained.count; i++) {
        free(explained.outputs[i].data);
    }
    backbone_tape_free(explained.tape);
    backbone_free(explained.net);
    free(image.pixels);
    if (fflush(stdout) != 0) {
        perror("gradcam");
        done = 0;
    }
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
