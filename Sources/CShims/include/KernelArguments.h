/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* Arguments of the kernels for one instruction set. As Swift structs they would leave those targets as types with code
 * of their own (copying, destroying), in weak copies of which the linker keeps any one. */

#ifndef KERNEL_ARGUMENTS_H
#define KERNEL_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

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

/* What the pixels of a step of a sparse convolution have in common. */
struct shims_sparse_step {
    const float *weights; /* of the first panel: one of each channel for each float of the step */
    long panel_stride;    /* floats from one panel to the next */
    const float *bias;    /* a value for each channel of the panels */
    long input_offset;    /* floats from the address of a window to the step's first */
    uint64_t mask_shift;  /* the bit of a mask that is the step's first */
    uint64_t mask_bits;   /* ones for the floats of the step, after the shift */
    long output_channel;  /* floats from the address of a pixel of output or residual to the panels' first channel */
    bool is_first;        /* sums begin with the bias */
    bool is_last;         /* sums are done */
    bool is_relu;
    const float *next_weights; /* those of the step that follows, asked for meanwhile; any address will do */
    long panel_lines;          /* how many cache lines of them each panel has */
    long prefetched_lines;     /* how many are asked for with each pixel */
};

/* Which pixels of the input a Winograd tile meets. */
struct shims_winograd_input {
    const float *source; /* the first pixel, of which all channels follow each other */
    long row_stride;     /* floats from one row to the next */
    long pixel_stride;   /* floats from one pixel to the next */
    long channels;       /* a multiple of the floats of a vector */
    long rows;           /* how many of its output's rows and columns the image has */
    long columns;
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

/*
 * Tiles of F(m, 3) at the edge of an image, which have fewer than m pixels in a direction, need fewer points: those of
 * F(n, 3) for an n that is enough, by which the same transformed weights are multiplied. These two tell which n that is
 * for so many pixels, and which points it has, as bits. At stride 2 there is m alone.
 */
static inline long shims_winograd_outputs(long m, long stride, long wanted) {
    if (stride != 1) return m;
    if (m == 2) return wanted <= 1 ? 1 : 2;
    if (wanted <= 2) return 2;
    return m == 6 && wanted <= 4 ? 4 : m;
}
static inline uint32_t shims_winograd_points(long m, long stride, long outputs) {
    if (outputs == m) return (1u << (stride == 1 ? m + 2 : 2 * m + 1)) - 1;
    if (m == 2) return 0x07;               /* 0, 1, -1 */
    if (m == 4) return 0x27;               /* 0, 5/8, -5/8, infinity */
    return outputs == 2 ? 0x99 : 0xe7;     /* 0, 1, -1, infinity; 0, 1/2, -1/2, 2, -2, infinity */
}

/* Bit i: whether floats[i], of 32, is not zero; NaN is not. Swift has no operation that makes a number of a mask. */
static inline uint32_t shims_nonzero_bits(const float *floats) {
    typedef float vector __attribute__((ext_vector_type(32)));
    typedef _Bool bits __attribute__((ext_vector_type(32)));
    vector values;
    memcpy(&values, floats, sizeof values);
    return __builtin_bit_cast(uint32_t, __builtin_convertvector(values != 0, bits));
}

#endif
