/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

#include "images.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

/* ---- Decoding --------------------------------------------------------------------------------------------------- */

/* libjpeg ends the process at an error unless its handler jumps away. */
struct decoder_errors {
    struct jpeg_error_mgr manager; /* first: libjpeg hands out a pointer to it */
    jmp_buf escape;
    char message[JMSG_LENGTH_MAX];
};

static void escape_decoder(j_common_ptr decoder) {
    struct decoder_errors *errors = (struct decoder_errors *)decoder->err;
    errors->manager.format_message(decoder, errors->message);
    longjmp(errors->escape, 1);
}

/* Decodes an open file as RGB. What is set after setjmp and read after the jump is in `out`, not in locals. */
static int decode_jpeg(const char *program, FILE *file, const char *path, struct image *out) {
    struct jpeg_decompress_struct decoder;
    struct decoder_errors errors;
    memset(&decoder, 0, sizeof decoder);
    decoder.err = jpeg_std_error(&errors.manager);
    errors.manager.error_exit = escape_decoder;
    if (setjmp(errors.escape)) {
        fprintf(stderr, "%s: %s: %s\n", program, path, errors.message);
        jpeg_destroy_decompress(&decoder);
        free(out->pixels);
        out->pixels = NULL;
        return 0;
    }
    jpeg_create_decompress(&decoder);
    jpeg_stdio_src(&decoder, file);
    jpeg_read_header(&decoder, TRUE);
    decoder.out_color_space = JCS_RGB;
    jpeg_start_decompress(&decoder);
    /* At most 65535 x 65535 x 3 bytes, which a size_t of 64 bits holds. */
    size_t row_size = (size_t)decoder.output_width * 3;
    out->height = decoder.output_height;
    out->width = decoder.output_width;
    out->pixels = malloc(row_size * decoder.output_height);
    if (out->pixels == NULL) {
        fprintf(stderr, "%s: %s: no memory for %u x %u pixels\n", program, path,
                decoder.output_width, decoder.output_height);
        jpeg_destroy_decompress(&decoder);
        return 0;
    }
    while (decoder.output_scanline < decoder.output_height) {
        JSAMPROW row = out->pixels + decoder.output_scanline * row_size;
        jpeg_read_scanlines(&decoder, &row, 1);
    }
    jpeg_finish_decompress(&decoder);
    jpeg_destroy_decompress(&decoder);
    return 1;
}

int read_image(const char *program, const char *path, struct image *out) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: %s: %s\n", program, path, strerror(errno));
        return 0;
    }
    int decoded = decode_jpeg(program, file, path, out);
    fclose(file);
    return decoded;
}

/* ---- Resizing --------------------------------------------------------------------------------------------------- */

/* The pixels of one row or column that make one pixel of the result, and their weights, whose sum is 1. */
struct taps {
    int64_t first;
    int64_t count;
    float *weights;
};

/* A triangle around `centre`, as wide as two pixels of the result or of the image, whichever are larger. */
static void weigh(struct taps *taps, double centre, double scale, int64_t length) {
    double radius = fmax(scale, 1), sum = 0;
    int64_t first = (int64_t)fmax(centre - radius + 0.5, 0);
    int64_t end = (int64_t)fmin(centre + radius + 0.5, (double)length);
    taps->first = first;
    taps->count = end - first;
    for (int64_t i = 0; i < taps->count; i++) {
        double weight = fmax(1 - fabs((double)(first + i) + 0.5 - centre) / radius, 0);
        taps->weights[i] = (float)weight;
        sum += weight;
    }
    for (int64_t i = 0; i < taps->count; i++) {
        taps->weights[i] = (float)(taps->weights[i] / sum);
    }
}

/* The weighted sum of rows. */
static void blend_rows(const struct image *image, const struct taps *taps, float *out) {
    int64_t length = image->width * 3;
    for (int64_t i = 0; i < length; i++) {
        out[i] = 0;
    }
    for (int64_t tap = 0; tap < taps->count; tap++) {
        const uint8_t *row = image->pixels + (taps->first + tap) * length;
        for (int64_t i = 0; i < length; i++) {
            out[i] += taps->weights[tap] * row[i];
        }
    }
}

static void blend_pixels(const float *row, const struct taps *taps, uint8_t out[3]) {
    for (int channel = 0; channel < 3; channel++) {
        float sum = 0;
        for (int64_t tap = 0; tap < taps->count; tap++) {
            sum += taps->weights[tap] * row[(taps->first + tap) * 3 + channel];
        }
        out[channel] = (uint8_t)fminf(sum + 0.5f, 255);
    }
}

int crop_image(const struct image *image, int64_t size, int mirrored, uint8_t *out) {
    double side = 0.875 * (double)(image->height < image->width ? image->height : image->width);
    double scale = side / (double)size;
    double top = ((double)image->height - side) / 2, left = ((double)image->width - side) / 2;
    struct taps taps = {0, 0, malloc((size_t)(2 * fmax(scale, 1) + 3) * sizeof(float))};
    float *row = malloc((size_t)image->width * 3 * sizeof *row);
    int done = taps.weights != NULL && row != NULL;
    for (int64_t y = 0; done && y < size; y++) {
        weigh(&taps, top + ((double)y + 0.5) * scale, scale, image->height);
        blend_rows(image, &taps, row);
        for (int64_t x = 0; x < size; x++) {
            weigh(&taps, left + ((double)x + 0.5) * scale, scale, image->width);
            blend_pixels(row, &taps, out + (y * size + (mirrored ? size - 1 - x : x)) * 3);
        }
    }
    free(row);
    free(taps.weights);
    return done;
}
