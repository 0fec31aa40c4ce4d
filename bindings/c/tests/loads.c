/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * What a load needs: every weight and running statistic of the network, and no module that the network does not
 * compute, unless the options say otherwise. A load that is refused gives its report and changes nothing. Runs under
 * valgrind too, hence the small networks.
 */

#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backbone.h"
#include "calls.h"
#include "check.h"

#define INVALID BACKBONE_STATUS_INVALID_ARGUMENT
#define MISMATCH BACKBONE_STATUS_MISMATCH

/* Of a ResNet-18: the stem and layer1, and layer2 to layer4 with their counts. */
enum { PART_ENTRIES = 30, LATER_VALUES = 75, LATER_COUNTS = 15, CAPACITY = 1 << 18 };

static char folder[] = "/tmp/backbone-loads-XXXXXX";

static const char *path_of(const char *name) {
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static backbone *create(uint32_t stages, uint64_t seed) {
    backbone *net = NULL;
    backbone_options options;
    CHECK_OK(backbone_options_init(&options, sizeof options));
    options.depth = 18;
    options.base_channels = 1;
    options.out_stages = stages;
    options.threads = 1;
    CHECK_OK(backbone_create(&options, &net));
    CHECK_OK(backbone_init_weights(net, seed));
    return net;
}

static backbone_load_options defaults(void) {
    backbone_load_options options;
    CHECK_OK(backbone_load_options_init(&options, sizeof options));
    return options;
}

/* The bytes of all entries, or of those from one on. */
static size_t read_all(const backbone *net, size_t first, char *out) {
    size_t count = 0, position = 0;
    CHECK_OK(backbone_entry_count(net, &count));
    for (size_t i = first; i < count; i++) {
        backbone_entry_info info;
        CHECK_OK(backbone_get_entry_info(net, i, &info));
        size_t size = info.dtype == BACKBONE_DTYPE_INT64 ? 8 : 4;
        for (int axis = 0; axis < info.ndim; axis++) size *= (size_t)info.shape[axis];
        CHECK(position + size <= CAPACITY, "%zu bytes", position + size);
        if (position + size > CAPACITY) break;
        CHECK_OK(backbone_read_entry(net, i, out + position, size));
        position += size;
    }
    return position;
}

static size_t count_of(const backbone_report *report, int32_t name_class) {
    size_t count = 99999;
    CHECK_OK(backbone_report_count(report, name_class, &count));
    return count;
}

/* Copies a safetensors file, with one more tensor of one element. */
static void add_tensor(const char *from, const char *to, const char *name) {
    static unsigned char bytes[CAPACITY];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    CHECK(in != NULL && out != NULL, "cannot copy %s to %s", from, to);
    size_t size = in != NULL ? fread(bytes, 1, sizeof bytes, in) : 0;
    uint64_t header = 0;
    memcpy(&header, bytes, sizeof header);
    size_t values = size - sizeof header - header;
    char entry[160];
    int length = snprintf(entry, sizeof entry, "{\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[%zu,%zu]},",
                          name, values, values + 4);
    CHECK(size > 8 && size < sizeof bytes && bytes[8] == '{', "%s: %zu bytes", from, size);
    uint64_t longer = header + (uint64_t)length - 1;
    const float one = 1;
    if (out != NULL) {
        fwrite(&longer, sizeof longer, 1, out);
        fwrite(entry, 1, (size_t)length, out);
        fwrite(bytes + 9, 1, size - 9, out);
        fwrite(&one, sizeof one, 1, out);
        fclose(out);
    }
    if (in != NULL) fclose(in);
}

/* Refused with `text` in the message, by the file and from memory alike; the report is given, the network as it was. */
static backbone_report *refused(backbone *net, const char *path, const backbone_load_options *options,
                                const char *text) {
    static char before[CAPACITY], after[CAPACITY];
    static unsigned char bytes[CAPACITY];
    size_t size = read_all(net, 0, before);
    backbone_report *report = NULL, *of_memory = NULL;
    CHECK_FAILS(MISMATCH, text, backbone_load_weights_with(net, path, options, &report));
    CHECK_FAILS(MISMATCH, path, backbone_load_weights_with(net, path, options, NULL));
    FILE *file = fopen(path, "rb");
    size_t length = file != NULL ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file != NULL) fclose(file);
    CHECK_FAILS(MISMATCH, text, backbone_load_weights_from_memory(net, bytes, length, options, &of_memory));
    CHECK(report != NULL && of_memory != NULL, "%s: no report", path);
    if (report != NULL && of_memory != NULL) {
        const char *here = NULL, *there = NULL;
        CHECK_OK(backbone_report_to_json(report, &here));
        CHECK_OK(backbone_report_to_json(of_memory, &there));
        CHECK(here != NULL && there != NULL && strcmp(here, there) == 0, "%s: %s and %s", path, here, there);
    }
    backbone_report_free(of_memory);
    CHECK(read_all(net, 0, after) == size && memcmp(before, after, size) == 0, "%s: the network changed", path);
    return report;
}

static void missing_names_are_errors(void) {
    backbone *whole = create(BACKBONE_STAGE_ALL, 1), *part = create(BACKBONE_STAGE_C2, 2);
    static char before[CAPACITY], after[CAPACITY];
    const char *path = path_of("part");
    CHECK_OK(backbone_save_weights(part, path));

    /* The short form, strict or not, into a network of any past. */
    for (int32_t strict = 0; strict <= 1; strict++) {
        backbone_report *report = NULL;
        size_t size = read_all(whole, 0, before);
        CHECK_FAILS(MISMATCH, "'layer2.0.conv1.weight'", backbone_load_weights(whole, path, strict, &report));
        CHECK(strstr(backbone_last_error_message(), "and 74 more") != NULL, "%s", backbone_last_error_message());
        CHECK(strstr(backbone_last_error_message(), "allow_missing") != NULL, "%s", backbone_last_error_message());
        CHECK(report != NULL && count_of(report, BACKBONE_REPORT_MISSING) == LATER_VALUES, "no report, or another");
        CHECK(count_of(report, BACKBONE_REPORT_IGNORABLE) == LATER_COUNTS, "the counts are missed");
        backbone_report_free(report);
        CHECK(read_all(whole, 0, after) == size && memcmp(before, after, size) == 0, "the network changed");
        CHECK_OK(backbone_save_weights(whole, path_of("whole")));
        CHECK_OK(backbone_load_weights(whole, path_of("whole"), 1, NULL));
    }

    /* NULL, the defaults, and a program from before the field, whatever follows its struct. */
    backbone_report_free(refused(whole, path, NULL, "layer2.0.conv1.weight"));
    backbone_load_options options = defaults();
    backbone_report_free(refused(whole, path, &options, "layer2.0.conv1.weight"));
    options.struct_size = 40;
    options.allow_missing = options.ignore_modules = 1;
    backbone_report_free(refused(whole, path, &options, "layer2.0.conv1.weight"));
    options.struct_size = sizeof options;
    options.allow_missing = 0;
    backbone_report_free(refused(whole, path, &options, "layer2.0.conv1.weight"));

    /* Asked for: what the file has is loaded, the rest is as it was. */
    for (int32_t strict = 0; strict <= 1; strict++) {
        CHECK_OK(backbone_init_weights(whole, 3));
        size_t later = read_all(whole, PART_ENTRIES, before);
        options = defaults();
        options.strict = strict;
        options.allow_missing = 1;
        backbone_report *report = NULL;
        CHECK_OK(backbone_load_weights_with(whole, path, &options, &report));
        CHECK(count_of(report, BACKBONE_REPORT_LOADED) == PART_ENTRIES, "%zu",
              count_of(report, BACKBONE_REPORT_LOADED));
        CHECK(count_of(report, BACKBONE_REPORT_MISSING) == LATER_VALUES, "%zu",
              count_of(report, BACKBONE_REPORT_MISSING));
        backbone_report_free(report);
        CHECK(read_all(whole, PART_ENTRIES, after) == later && memcmp(before, after, later) == 0,
              "later stages changed");
        size_t all = read_all(part, 0, before);
        (void)read_all(whole, 0, after);
        CHECK(memcmp(before, after, all) == 0, "the stem and layer1 are not those of the file");
    }

    /* Strict refuses names that the network lacks, missing ones allowed or not. */
    const char *headed = path_of("headed");
    add_tensor(path, headed, "head.weight");
    options = defaults();
    options.allow_missing = 1;
    CHECK_OK(backbone_load_weights_with(whole, headed, &options, NULL));
    options.strict = 1;
    backbone_report *report = refused(whole, headed, &options, "'head.weight'");
    CHECK(count_of(report, BACKBONE_REPORT_UNEXPECTED) == 1, "%zu", count_of(report, BACKBONE_REPORT_UNEXPECTED));
    backbone_report_free(report);
    backbone_free(whole);
    backbone_free(part);
}

static void modules_are_errors(void) {
    backbone *net = create(BACKBONE_STAGE_C2, 4), *source = create(BACKBONE_STAGE_C2, 5);
    static char before[CAPACITY], after[CAPACITY];
    const char *attended = path_of("attended");
    CHECK_OK(backbone_save_weights(source, path_of("plain")));
    add_tensor(path_of("plain"), attended, "layer1.0.se.fc1.weight");

    backbone_report_free(refused(net, attended, NULL, "squeeze-and-excitation"));
    CHECK(strstr(backbone_last_error_message(), "ignore_modules") != NULL, "%s", backbone_last_error_message());
    backbone_load_options options = defaults();
    options.allow_missing = 1;
    backbone_report_free(refused(net, attended, &options, "'layer1.0.se.fc1.weight'"));
    options.allow_missing = 0;
    options.ignore_modules = 1;
    options.strict = 1;
    backbone_report_free(refused(net, attended, &options, "'layer1.0.se.fc1.weight'"));
    options.struct_size = 40;
    options.strict = 0;
    backbone_report_free(refused(net, attended, &options, "squeeze-and-excitation"));

    options.struct_size = sizeof options;
    backbone_report *report = NULL;
    size_t warnings = 0;
    const char *text = "";
    CHECK_OK(backbone_load_weights_with(net, attended, &options, &report));
    CHECK_OK(backbone_report_warning_count(report, &warnings));
    CHECK(warnings == 1, "%zu warnings", warnings);
    CHECK_OK(backbone_report_get_warning(report, 0, &text));
    CHECK(strstr(text, "layer1.0.se.fc1.weight") != NULL, "%s", text);
    CHECK(count_of(report, BACKBONE_REPORT_UNEXPECTED) == 1, "%zu", count_of(report, BACKBONE_REPORT_UNEXPECTED));
    backbone_report_free(report);
    size_t size = read_all(source, 0, before);
    CHECK(read_all(net, 0, after) == size && memcmp(before, after, size) == 0, "not the weights of the file");
    backbone_free(net);
    backbone_free(source);
}

static void flags_out_of_range_are_named(void) {
    backbone *net = create(BACKBONE_STAGE_C2, 6);
    CHECK_OK(backbone_save_weights(net, path_of("net")));
    const int32_t values[] = {2, -1, INT32_MIN, 256};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[64];
        backbone_report *report = (backbone_report *)&text;
        backbone_load_options options = defaults();
#define CHECK_NAMED(field)                                                                                   \
    do {                                                                                                     \
        options = defaults();                                                                                \
        options.field = values[i];                                                                           \
        snprintf(text, sizeof text, "%s is %" PRId32 ", ", #field, values[i]);                               \
        CHECK_FAILS(INVALID, text, backbone_load_weights_with(net, path_of("net"), &options, &report));      \
        CHECK(report == NULL, "a report in spite of " #field);                                               \
    } while (0)
        CHECK_NAMED(strict);
        CHECK_NAMED(allow_missing);
        CHECK_NAMED(ignore_modules);
#undef CHECK_NAMED
        snprintf(text, sizeof text, "strict is %" PRId32 ", ", values[i]);
        CHECK_FAILS(INVALID, text, backbone_load_weights(net, path_of("net"), values[i], NULL));
    }
    backbone_free(net);
}

int main(void) {
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return EXIT_FAILURE;
    }
    missing_names_are_errors();
    modules_are_errors();
    flags_out_of_range_are_named();
    static const char *const names[] = {"part", "whole", "headed", "plain", "attended", "net"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) remove(path_of(names[i]));
    rmdir(folder);
    printf("%d checks failed\n", failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
