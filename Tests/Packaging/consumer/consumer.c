/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * Computes the features of a stored case (see write_case.py) and compares them with PyTorch's.
 *
 * Usage: consumer-c FOLDER
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <backbone.h>

enum { H = 33, W = 65, STAGES = 4, MAX_VALUES = 4096 };

static size_t read_file(const char *folder, const char *name, void *out, size_t capacity) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    size_t size = fread(out, 1, capacity, file);
    fclose(file);
    return size;
}

static void require(backbone_status status) {
    if (status != BACKBONE_STATUS_OK) {
        fprintf(stderr, "%s\n", backbone_last_error_message());
        exit(EXIT_FAILURE);
    }
}

int main(int argc, char **argv) {
    static const float mean[3] = BACKBONE_IMAGENET_MEAN, std_dev[3] = BACKBONE_IMAGENET_STD_DEV;
    static const char *const names[STAGES] = {"C2", "C3", "C4", "C5"};
    static const double bounds[STAGES] = {5e-5, 1e-4, 1e-4, 3e-4}; /* of BACKBONE_ARITHMETIC_FAST */
    static unsigned char pixels[H * W * 3 + 1];
    static float actual[STAGES][MAX_VALUES], expected[MAX_VALUES];
    if (argc != 2) {
        fprintf(stderr, "Usage: consumer-c FOLDER\n");
        return 2;
    }

    char model[4096];
    snprintf(model, sizeof model, "%s/model.pth", argv[1]);
    backbone *net = NULL;
    backbone_options options;
    require(backbone_options_init(&options, sizeof options));
    options.mean = mean;
    options.std_dev = std_dev;
    options.channel_order = BACKBONE_CHANNELS_REVERSED;
    require(backbone_create_from_file(model, &options, NULL, &net, NULL));

    if (read_file(argv[1], "pixels", pixels, sizeof pixels) != H * W * 3) {
        fprintf(stderr, "%s/pixels is of another size\n", argv[1]);
        return EXIT_FAILURE;
    }
    backbone_tensor image = {pixels, BACKBONE_DTYPE_UINT8, 0, {1, 3, H, W}, {H * W * 3, 1, W * 3, 3}};
    int64_t shapes[STAGES][4];
    backbone_tensor features[STAGES];
    require(backbone_output_shapes(net, image.shape, shapes[0], STAGES));
    for (int i = 0; i < STAGES; i++) {
        int64_t c = shapes[i][1], h = shapes[i][2], w = shapes[i][3];
        if (c * h * w > MAX_VALUES) return EXIT_FAILURE;
        backbone_tensor feature = {actual[i], BACKBONE_DTYPE_FLOAT32, 0, {1, c, h, w}, {c * h * w, h * w, w, 1}};
        features[i] = feature;
    }
    require(backbone_forward(net, &image, features, STAGES));
    backbone_free(net);

    int failures = 0;
    for (int i = 0; i < STAGES; i++) {
        size_t count = (size_t)(shapes[i][1] * shapes[i][2] * shapes[i][3]);
        double largest = 0, error = 0;
        if (read_file(argv[1], names[i], expected, sizeof expected) != count * sizeof(float)) {
            fprintf(stderr, "%s has %zu values, and other ones stored\n", names[i], count);
            return EXIT_FAILURE;
        }
        for (size_t j = 0; j < count; j++) {
            largest = fmax(largest, fabs((double)expected[j]));
            double difference = fabs((double)actual[i][j] - (double)expected[j]);
            if (!(difference <= error)) error = difference; /* also if it is not a number */
        }
        printf("%s: error %.1e of %g\n", names[i], error / largest, largest);
        if (!(error <= bounds[i] * largest)) failures++;
    }
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
