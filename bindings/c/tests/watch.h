/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* What tests of hostile and damaged files watch besides the status. It needs backbone.h, stdio.h,
 * stdlib.h and string.h. */

/* A number of /proc/self/status, such as "VmHWM:", the peak memory, in kilobytes. */
static long status_number(const char *key) {
    char line[256];
    long number = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) number = strtol(line + strlen(key), NULL, 10);
    }
    if (file != NULL) fclose(file);
    return number;
}

/* Resets the peak memory to the present memory. */
static void forget_peak(void) {
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (file != NULL) fputs("5", file);
    if (file != NULL) fclose(file);
}

/* One line, without what could command a terminal. */
static int is_plain(const char *text) {
    for (; *text != 0; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) return 0;
    }
    return 1;
}

enum { SMALLEST_ENTRIES = 30, SMALLEST_BYTES = 4096 };

/* Copies all values of the smallest network to `out`, SMALLEST_BYTES, and returns how many bytes they take; 0 if that
 * failed. `position` receives the place of those of the entry `name`. */
static size_t read_weights(const backbone *net, char *out, const char *name, size_t *position) {
    size_t total = 0;
    for (size_t i = 0; i < SMALLEST_ENTRIES; i++) {
        backbone_entry_info info;
        if (backbone_get_entry_info(net, i, &info) != BACKBONE_STATUS_OK) return 0;
        size_t size = info.dtype == BACKBONE_DTYPE_INT64 ? 8 : 4;
        for (int axis = 0; axis < info.ndim; axis++) size *= (size_t)info.shape[axis];
        if (total + size > SMALLEST_BYTES) return 0;
        if (backbone_read_entry(net, i, out + total, size) != BACKBONE_STATUS_OK) return 0;
        if (strcmp(info.name, name) == 0) *position = total;
        total += size;
    }
    return total;
}
