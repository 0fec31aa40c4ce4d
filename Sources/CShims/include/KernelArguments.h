/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* Arguments of the kernels for one instruction set. As Swift structs they would leave those targets as types with code
 * of their own (copying, destroying), in weak copies of which the linker keeps any one. */

#ifndef KERNEL_ARGUMENTS_H
#define KERNEL_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Arguments common to the tiles of a panel of output channels. */
struct shims_convolution_panel {
    long input_offset;    /* floats from the address of a window to its first segment */
    long row_count;       /* rows of a window, at least 1 */
    long row_stride;      /* floats from one row of a window to the next */
    long segment_count;   /* segments of a row, of which each is contiguous, at least 1 */
    long segment_stride;  /* floats from one segment of a row to the next */
    long segment_length;  /* floats of a segment, at least 1 */
    const float *weights; /* one of each channel for each float of a window, segment after segment */
    const float *bias;    /* a value for each channel */
    bool is_relu;
    long channel;         /* floats from the address of a pixel of output or residual to the panel's first channel */
};

/* Arguments common to the pixels of a step of a sparse convolution. */
struct shims_sparse_step {
    const float *weights; /* weights of the first panel: one of each channel for each float of the step */
    long panel_stride;    /* floats from one panel to the next */
    const float *bias;    /* a value for each channel of the panels */
    long input_offset;    /* floats from the address of a window to the step's first */
    uint64_t mask_shift;  /* the bit of a mask that is the step's first */
    uint64_t mask_bits;   /* ones for the floats of the step, after the shift */
    long output_channel;  /* floats from the address of a pixel of output or residual to the panels' first channel */
    bool is_first;        /* sums begin with the bias */
    bool is_last;         /* sums are done */
    bool is_relu;
    const float *next_weights; /* weights of the next step, asked for meanwhile; any address will do */
    long panel_lines;          /* cache lines of them in each panel */
    long prefetched_lines;     /* lines of each panel that are asked for with each pixel */
};

/* The input pixels of a Winograd tile. */
struct shims_winograd_input {
    const float *source; /* the first pixel, with contiguous channels */
    long row_stride;     /* floats from one row to the next */
    long pixel_stride;   /* floats from one pixel to the next */
    long channels;       /* a multiple of the floats of a vector */
    long rows;           /* rows and columns of its output that the image has */
    long columns;
};

/* The output pixels of a Winograd tile, and the values added to them. */
struct shims_winograd_output {
    float *output;         /* the tile's first pixel at the panel's first channel */
    long output_row;       /* floats from one row to the next */
    long output_pixel;     /* floats from one pixel to the next */
    const float *residual; /* the residual at that pixel and channel, or NULL */
    long residual_row;
    long residual_pixel;
    const float *bias;     /* a value for each channel of the panel */
    bool is_relu;
    long rows;             /* rows and columns of the tile that the image has */
    long columns;
};

/* Pixels of a row in the backward pass through a ReLU and a norm. */
struct shims_norm_gradient {
    const float *gradient;
    const float *result; /* result of the ReLU, or NULL for none */
    float *masked;       /* written if `result` is not NULL; may be the gradient */
    const float *input;  /* input of the norm, or NULL if no sums of products are wanted */
    const double *mean;  /* a value for each channel, read with an input alone */
    long channels;       /* a multiple of 8 */
    long pixels;
};

/* Contiguous pixels, and an elementwise computation on each of their channels. */
struct shims_elementwise {
    const float *input;
    const float *scale;    /* a factor for each channel, or NULL */
    const float *shift;    /* added to the product, a value for each channel, or NULL; only with a scale */
    const float *residual; /* added last, as many pixels as the input, or NULL */
    float *output;         /* may be the input or the residual */
    long channels;         /* a multiple of the floats of a vector */
    long pixels;
};

/* A step of SGD for some parameters; scalars as PyTorch rounds them. */
struct shims_sgd_step {
    float *parameters;
    const float *gradients;
    float *momentum_buffer; /* NULL without momentum */
    long count;
    float negated_rate;   /* -lr */
    float weight_decay;
    float momentum;
    float gradient_share; /* 1 - dampening */
    bool decays;          /* weight_decay is not 0 */
    bool begins;          /* the momentum buffer has no values yet */
    bool is_nesterov;
};

/* A step of AdamW for some parameters; scalars as PyTorch rounds them. */
struct shims_adamw_step {
    float *parameters;
    const float *gradients;
    float *averages;    /* exp_avg */
    float *squares;     /* exp_avg_sq */
    long count;
    float kept;         /* 1 - lr * weight_decay */
    bool decays;        /* weight_decay is not 0 */
    float share;        /* 1 - beta1 */
    float square_kept;  /* beta2 */
    float square_share; /* 1 - beta2 */
    float correction;   /* sqrt(1 - beta2^step) */
    float epsilon;
    float negated_rate; /* -lr / (1 - beta1^step) */
};

/*
 * Tiles of F(m, 3) at the edge of an image have fewer than m pixels in a direction and need fewer points: those of F(n,
 * 3) for a sufficient n, multiplied by the same transformed weights. These two functions give that n for so many
 * pixels, and its points as bits. At stride 2 only m exists.
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

/*
 * Lane `index` of each four lanes in all four. A shuffle in Swift consists of single lanes, which the optimiser then
 * loads one by one. Called only in targets that have vectors of this size.
 */
typedef float shims_float8 __attribute__((ext_vector_type(8)));
static inline __attribute__((always_inline)) shims_float8 shims_spread8(shims_float8 floats, long index) {
    switch (index) {
    case 0: return __builtin_shufflevector(floats, floats, 0, 0, 0, 0, 4, 4, 4, 4);
    case 1: return __builtin_shufflevector(floats, floats, 1, 1, 1, 1, 5, 5, 5, 5);
    case 2: return __builtin_shufflevector(floats, floats, 2, 2, 2, 2, 6, 6, 6, 6);
    default: return __builtin_shufflevector(floats, floats, 3, 3, 3, 3, 7, 7, 7, 7);
    }
}
typedef float shims_float16 __attribute__((ext_vector_type(16)));
static inline __attribute__((always_inline)) shims_float16 shims_spread16(shims_float16 floats, long index) {
    switch (index) {
    case 0: return __builtin_shufflevector(floats, floats, 0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
    case 1: return __builtin_shufflevector(floats, floats, 1, 1, 1, 1, 5, 5, 5, 5, 9, 9, 9, 9, 13, 13, 13, 13);
    case 2: return __builtin_shufflevector(floats, floats, 2, 2, 2, 2, 6, 6, 6, 6, 10, 10, 10, 10, 14, 14, 14, 14);
    default: return __builtin_shufflevector(floats, floats, 3, 3, 3, 3, 7, 7, 7, 7, 11, 11, 11, 11, 15, 15, 15, 15);
    }
}

/* Square roots. Those of a vector in Swift are calls of a function for each. */
typedef double shims_double8 __attribute__((ext_vector_type(8)));
static inline __attribute__((always_inline)) shims_double8 shims_square_roots(shims_double8 values) {
    return __builtin_elementwise_sqrt(values);
}
static inline __attribute__((always_inline)) shims_float8 shims_square_roots8(shims_float8 values) {
    return __builtin_elementwise_sqrt(values);
}
static inline __attribute__((always_inline)) shims_float16 shims_square_roots16(shims_float16 values) {
    return __builtin_elementwise_sqrt(values);
}

/* Exchanges rows and columns of eight rows of eight floats. Put together in Swift, they go through memory. */
static inline __attribute__((always_inline)) void shims_exchange8(shims_float8 a[8]) {
    shims_float8 b[8];
    for (long i = 0; i < 8; i += 2) {
        b[i] = __builtin_shufflevector(a[i], a[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        b[i + 1] = __builtin_shufflevector(a[i], a[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (long i = 0; i < 8; i += 4) {
        a[i] = __builtin_shufflevector(b[i], b[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        a[i + 1] = __builtin_shufflevector(b[i], b[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        a[i + 2] = __builtin_shufflevector(b[i + 1], b[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
        a[i + 3] = __builtin_shufflevector(b[i + 1], b[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    for (long i = 0; i < 4; ++i) {
        b[i] = __builtin_shufflevector(a[i], a[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        b[i + 4] = __builtin_shufflevector(a[i], a[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
    for (long i = 0; i < 8; ++i) a[i] = b[i];
}

/* Transposes eight rows of eight floats: float `k` of row `i` goes to float `i` of row `k` of `out`. */
static inline __attribute__((always_inline)) void shims_transpose8(
    const float *const *rows, long offset, float *out, long stride) {
    shims_float8 a[8];
    for (long i = 0; i < 8; ++i) memcpy(&a[i], rows[i] + offset, sizeof a[i]);
    shims_exchange8(a);
    for (long i = 0; i < 8; ++i) memcpy(out + i * stride, &a[i], sizeof a[i]);
}
/* The same for rows that are `row_stride` floats apart, with `out` in one piece. */
static inline __attribute__((always_inline)) void shims_transpose_square8(
    const float *rows, long row_stride, float *out) {
    shims_float8 a[8];
    for (long i = 0; i < 8; ++i) memcpy(&a[i], rows + i * row_stride, sizeof a[i]);
    shims_exchange8(a);
    memcpy(out, a, sizeof a);
}

/*
 * Stores `count` floats, a multiple of 8, that nobody reads soon: past the caches, so that their lines are not read
 * first. Where `out` is not aligned to 32 bytes they are stored as any others. Other threads see them after
 * shims_end_stream.
 */
static inline __attribute__((always_inline)) void shims_stream(const float *floats, float *out, long count) {
    if ((uintptr_t)out % sizeof(shims_float8) != 0) {
        memcpy(out, floats, (size_t)count * sizeof *out);
        return;
    }
    for (long i = 0; i < count; i += 8) {
        shims_float8 values;
        memcpy(&values, floats + i, sizeof values);
        __builtin_nontemporal_store(values, (shims_float8 *)(out + i));
    }
}
static inline __attribute__((always_inline)) void shims_end_stream(void) {
#if defined(__x86_64__)
    __builtin_ia32_sfence();
#else
    __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

#endif
