/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

#include "heat.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The map at a pixel. Beyond the last row and column it is constant. */
static double heat_at(const struct heat *heat, int64_t row, int64_t column) {
    double y = fmin((double)row / (double)heat->stride, (double)(heat->height - 1));
    double x = fmin((double)column / (double)heat->stride, (double)(heat->width - 1));
    int64_t top = (int64_t)y, left = (int64_t)x;
    int64_t bottom = top + 1 < heat->height ? top + 1 : top, right = left + 1 < heat->width ? left + 1 : left;
    const float *upper = heat->values + top * heat->width, *lower = heat->values + bottom * heat->width;
    double v = y - (double)top, u = x - (double)left;
    return (1 - v) * ((1 - u) * upper[left] + u * upper[right]) + v * ((1 - u) * lower[left] + u * lower[right]);
}

int write_heat(const char *program, const char *path, const struct heat *heat, const struct image *image) {
    double largest = 0;
    for (int64_t i = 0; i < heat->height * heat->width; i++) {
        largest = fmax(largest, heat->values[i]);
    }
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        fprintf(stderr, "%s: %s: %s\n", program, path, strerror(errno));
        return 0;
    }
    fprintf(file, "P6\n%lld %lld\n255\n", (long long)image->width, (long long)image->height);
    for (int64_t i = 0; i < image->height * image->width; i++) {
        const uint8_t *rgb = image->pixels + 3 * i;
        double gray = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
        double share = largest > 0 ? heat_at(heat, i / image->width, i % image->width) / largest : 0;
        fputc((int)(0.5 * gray + 127 * fmin(2 * share, 1)), file);
        fputc((int)(0.5 * gray + 127 * fmax(2 * share - 1, 0)), file);
        fputc((int)(0.5 * gray), file);
    }
    /* A full disk may show only when the file is closed. */
    int failed = ferror(file);
    if (fclose(file) != 0 || failed) {
        fprintf(stderr, "%s: %s: %s\n", program, path, strerror(errno));
        return 0;
    }
    return 1;
}
