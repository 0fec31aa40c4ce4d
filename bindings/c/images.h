/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* Decoding and resizing for the examples. */

#ifndef IMAGES_H
#define IMAGES_H

#include <stdint.h>

struct image {
    uint8_t *pixels; /* height x width x 3, RGB; to be freed */
    int64_t height;
    int64_t width;
};

/* Decodes a JPEG. Returns 0 after a message, which begins with the name of the program. */
int read_image(const char *program, const char *path, struct image *out);

/*
 * Resizes the central square of an image to size x size pixels, RGB. The square is 7/8 of the shorter side, as with a
 * resize to 256 and a crop of 224. Each pixel is a weighted mean of all that it covers (bilinear with antialiasing).
 * Mirrored, left and right change places. Returns 0 if memory runs out.
 */
int crop_image(const struct image *image, int64_t size, int mirrored, uint8_t *out);

#endif
