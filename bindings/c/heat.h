/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* Heat maps over pictures, for the examples. */

#ifndef HEAT_H
#define HEAT_H

#include <stdint.h>

#include "images.h"

struct heat {
    const float *values; /* height x width, finite, 0 or more */
    int64_t height;
    int64_t width;
    int64_t stride; /* value (y, x) is that of pixel (stride * y, stride * x) */
};

/*
 * Writes the picture in gray, with the map over it, as a PPM. Between values the map is bilinear. Its colours go from
 * none for 0 over red to yellow for the largest value. Returns 0 after a message, which begins with the name of the
 * program.
 */
int write_heat(const char *program, const char *path, const struct heat *heat, const struct image *image);

#endif
