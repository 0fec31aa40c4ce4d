/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * Cuts small checkpoints off at every byte and flips bits of every byte, and loads each of these into one network: a
 * status and a message that names the place, in little time and memory, and a network that is as it was.
 *
 *     damaged FILE...     that hold bn1.weight and bn1.bias of the smallest network, 0.25 and -1.5
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backbone.h"
#include "check.h"
#include "smallest.h"
#include "watch.h"

enum { FILE_CAPACITY = 64 << 10, SECONDS = 1, SPARE_KILOBYTES = 64 << 10 };

static long loads, loaded;

/* Loads `size` bytes into a network whose values are `before`, and leaves it so. Returns the status. */
static backbone_status load(backbone *net, const char *before, const unsigned char *bytes, size_t size,
                            const char *name, const char *damage, size_t place) {
    static char after[SMALLEST_BYTES];
    char location[64];
    size_t position = 0;
    clock_t start = clock();
    backbone_report *report = NULL;
    backbone_load_options options = partial();
    backbone_status status = backbone_load_weights_from_memory(net, bytes, size, &options, &report);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    loads++;
    CHECK(seconds < SECONDS, "%s, %s %zu: %.2f seconds", name, damage, place, seconds);
    CHECK((report != NULL) == (status == BACKBONE_STATUS_OK || status == BACKBONE_STATUS_MISMATCH),
          "%s, %s %zu: status %d", name, damage, place, (int)status);
    backbone_report_free(report);
    if (status == BACKBONE_STATUS_OK) {
        loaded++;
        CHECK(backbone_init_weights(net, 0) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
        return status;
    }
    const char *message = backbone_last_error_message();
    CHECK(status == BACKBONE_STATUS_BAD_CHECKPOINT || status == BACKBONE_STATUS_MISMATCH, "%s, %s %zu: status %d: %s",
          name, damage, place, (int)status, message);
    snprintf(location, sizeof location, "memory of %zu bytes: ", size);
    CHECK(strncmp(message, location, strlen(location)) == 0 && strlen(message) > strlen(location) && is_plain(message),
          "%s, %s %zu: %s", name, damage, place, message);
    size_t count = read_weights(net, after, "bn1.weight", &position);
    CHECK(count > 0 && memcmp(before, after, count) == 0, "%s, %s %zu: the network changed", name, damage, place);
    return status;
}

static void damage(const char *path) {
    static unsigned char bytes[FILE_CAPACITY];
    static char before[SMALLEST_BYTES], whole[SMALLEST_BYTES];
    static const unsigned char masks[] = {0x01, 0x80, 0xff};
    const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    FILE *file = fopen(path, "rb");
    size_t size = file != NULL ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file != NULL) fclose(file);
    CHECK(size > 0 && size < sizeof bytes, "%s: %zu bytes", path, size);

    backbone *net = create_smallest();
    size_t weight = 0, bias = 0;
    backbone_load_options options = partial();
    CHECK(backbone_load_weights_with(net, path, &options, NULL) == BACKBONE_STATUS_OK, "%s",
          backbone_last_error_message());
    float values[2] = {0, 0};
    (void)(read_weights(net, whole, "bn1.weight", &weight) + read_weights(net, whole, "bn1.bias", &bias));
    memcpy(values, whole + weight, sizeof *values);
    memcpy(values + 1, whole + bias, sizeof *values);
    CHECK(values[0] == 0.25f && values[1] == -1.5f, "%s: %g %g", name, (double)values[0], (double)values[1]);
    CHECK(backbone_init_weights(net, 0) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
    CHECK(read_weights(net, before, "bn1.weight", &weight) > 0, "%s", name);

    loads = loaded = 0;
    forget_peak();
    long memory = status_number("VmRSS:");
    for (size_t length = 0; length < size; length++) {
        backbone_status status = load(net, before, bytes, length, name, "cut at", length);
        /* All but the zeros with which a tar archive ends is needed. */
        CHECK(status == BACKBONE_STATUS_BAD_CHECKPOINT || (strstr(name, "tar") != NULL && length >= size - 1024),
              "%s, cut at %zu: status %d", name, length, (int)status);
    }
    long cut = loads;
    for (size_t position = 0; position < size; position++) {
        for (size_t mask = 0; mask < sizeof masks; mask++) {
            bytes[position] ^= masks[mask];
            load(net, before, bytes, size, name, "flipped at", position);
            bytes[position] ^= masks[mask];
        }
    }
    long used = status_number("VmHWM:") - memory;
    /* The system counts in batches of pages: a few may lack. */
    CHECK(memory > 0 && used < SPARE_KILOBYTES, "%s: %ld kB", name, used);
    /* A flip of unused bits has no effect; elsewhere it must be an error. */
    CHECK(loaded < loads && loads == cut + (long)(size * sizeof masks), "%s: %ld of %ld", name, loaded, loads);
    printf("%-22s %5zu bytes: %6ld loads, %5ld of them sound, %5ld kB at most\n", name, size, loads, loaded, used);
    backbone_free(net);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: damaged FILE...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) damage(argv[i]);
    return failures != 0;
}
