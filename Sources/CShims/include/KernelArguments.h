/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* Arguments of the kernels for one instruction set. As Swift structs they would leave those targets as types with code
 * of their own (copying, destroying), in weak copies of which the linker keeps any one. */

#ifndef KERNEL_ARGUMENTS_H
#define KERNEL_ARGUMENTS_H

#include <stdbool.h>

/* What the tiles of a panel of output channels have in common. */
struct shims_convolution_panel {
    long segment_count;   /* rows of a window, at least 1 */
    long segment_stride;  /* floats from one row of a window to the next */
    long segment_length;  /* floats of a row of a window, at least 1 */
    const float *weights; /* one of each channel for each float of a window, row after row */
    const float *bias;    /* a value for each channel */
    bool is_relu;
    long channel;         /* floats from the address of a pixel of output or residual to the panel's first channel */
};

/* Where the pixels of a Winograd tile go, and what is added to them. */
struct shims_winograd_output {
    float *output;         /* the tile's first pixel at the panel's first channel */
    long output_row;       /* floats from one row to the next */
    long output_pixel;     /* floats from one pixel to the next */
    const float *residual; /* as output, or NULL */
    long residual_row;
    long residual_pixel;
    const float *bias;     /* a value for each channel of the panel */
    bool is_relu;
    long rows;             /* how many of its rows and columns the image has */
    long columns;
};

#endif
