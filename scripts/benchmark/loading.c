/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * Loads one checkpoint into one new network, and prints as JSON how long that took and by how many bytes the process
 * grew at most meanwhile.
 *
 *     loading CHECKPOINT DEPTH [memory]     memory: it is read before, and loaded from there
 */

#define _POSIX_C_SOURCE 199309L /* clock_gettime */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "backbone.h"

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int failed(const char *what) {
    fprintf(stderr, "%s: %s\n", what, backbone_last_error_message());
    return 1;
}

/* Bytes of memory of this process: VmRSS now, VmHWM at most. */
static long long status(const char *field) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[256], name[16];
    long long kilobytes = -1, value;
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%15[^:]: %lld kB", name, &value) == 2) {
            const char *a = name, *b = field;
            while (*a && *a == *b) a++, b++;
            if (*a == *b) kilobytes = value;
        }
    }
    if (file) fclose(file);
    return kilobytes * 1024;
}

/* From here on the most memory is counted anew. */
static int forget_peak(void) {
    FILE *file = fopen("/proc/self/clear_refs", "w");
    return file && fputs("5", file) >= 0 && fclose(file) == 0;
}

static unsigned char *contents(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) return NULL;
    *size = (size_t)ftell(file);
    unsigned char *data = malloc(*size);
    rewind(file);
    if (!data || fread(data, 1, *size, file) != *size) return NULL;
    fclose(file);
    return data;
}

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4) return failed("usage: loading CHECKPOINT DEPTH [memory]");
    size_t size = 0;
    unsigned char *data = NULL;
    if (argc == 4 && !(data = contents(argv[1], &size))) return failed("cannot read the checkpoint");
    backbone *net = NULL;
    backbone_options options;
    backbone_options_init(&options, sizeof options);
    options.depth = atoi(argv[2]);
    if (backbone_create(&options, &net) != BACKBONE_STATUS_OK) return failed("backbone_create");

    if (!forget_peak()) return failed("/proc/self/clear_refs");
    long long before = status("VmRSS");
    int64_t start = nanoseconds();
    backbone_status result = data ? backbone_load_weights_from_memory(net, data, size, NULL, NULL)
                                  : backbone_load_weights(net, argv[1], 0, NULL);
    int64_t end = nanoseconds();
    if (result != BACKBONE_STATUS_OK) return failed("backbone_load_weights");
    printf("{\"load_ns\": %lld, \"grown\": %lld}\n", (long long)(end - start), status("VmHWM") - before);
    backbone_free(net);
    free(data);
    return 0;
}
