/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * Networks that are selected by name: the names, what contradicts them, what the options of a network say, and programs
 * compiled before options.architecture existed. Runs under valgrind too, hence the narrow networks.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backbone.h"
#include "calls.h"
#include "check.h"

#define INVALID BACKBONE_STATUS_INVALID_ARGUMENT

/* backbone_options of a program that was compiled before it had `architecture`. */
struct old_options {
    uint32_t struct_size;
    int32_t depth, in_channels, base_channels;
    unsigned char others[64];
};

enum { OLD_SIZE = sizeof(struct old_options) };

/* Narrow, but for networks whose groups divide no fewer channels. */
static int32_t width_of(const char *name) {
    const int is_wide = name != NULL && (strstr(name, "_gn") != NULL || strcmp(name, "senet154") == 0);
    return is_wide ? 64 : 4;
}

/* Of a network of that name, or of the default depth without one. */
static backbone_options options_for(const char *name) {
    backbone_options options;
    CHECK_OK(backbone_options_init(&options, sizeof options));
    CHECK(options.architecture == NULL && options.depth == 50, "depth %d", (int)options.depth);
    options.architecture = name;
    if (name != NULL) options.depth = 0;
    options.base_channels = width_of(name);
    options.out_stages = BACKBONE_STAGE_ALL;
    options.threads = 2;
    return options;
}

static backbone *create(const backbone_options *options) {
    backbone *net = NULL;
    CHECK_OK(backbone_create(options, &net));
    CHECK(net != NULL, "no network");
    return net;
}

static void check_refused(const char *text, const backbone_options *options) {
    backbone *net = (backbone *)&text;
    CHECK_FAILS(INVALID, text, backbone_create(options, &net));
    CHECK(net == NULL, "a handle in spite of %s", text);
}

static void check_named(const backbone *net, const char *name, int32_t depth) {
    backbone_options now = {.struct_size = sizeof now};
    CHECK_OK(backbone_get_options(net, &now));
    CHECK(now.architecture != NULL && strcmp(now.architecture, name) == 0, "%s, not %s", now.architecture, name);
    CHECK(now.depth == depth && now.base_channels == width_of(name), "%s: depth %d, width %d", name, (int)now.depth,
          (int)now.base_channels);
}

static size_t entries(const backbone *net) {
    size_t count = 0;
    CHECK_OK(backbone_entry_count(net, &count));
    return count;
}

/* The depth that stands for a network by itself; 0 for those that need a name. */
static int32_t depth_of(const char *name) {
    static const int32_t depths[] = {18, 34, 50, 101, 152};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        char plain[16];
        snprintf(plain, sizeof plain, "resnet%d", (int)depths[i]);
        if (strcmp(name, plain) == 0) return depths[i];
    }
    return 0;
}

static void names_are_listed(void) {
    size_t count = backbone_architecture_count();
    CHECK(backbone_architecture_name(count) == NULL, "a name at the end");
    CHECK(backbone_architecture_name(SIZE_MAX) == NULL && backbone_architecture_name((size_t)1 << 63) == NULL,
          "a name far beyond the end");
    static const char *const some[] = {"resnet18",  "resnet26",  "resnet34",        "resnet50",
                                       "resnet101", "resnet152", "wide_resnet50_2", "wide_resnet101_2"};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        size_t found = 0;
        for (size_t j = 0; j < count; j++) found += strcmp(backbone_architecture_name(j), some[i]) == 0;
        CHECK(found == 1, "%s is listed %zu times", some[i], found);
    }
}

static void every_name_creates_its_network(void) {
    for (size_t i = 0; i < backbone_architecture_count(); i++) {
        const char *name = backbone_architecture_name(i);
        char copy[64];
        snprintf(copy, sizeof copy, "%s", name);
        backbone_options options = options_for(copy);
        backbone *net = create(&options);
        memset(copy, 'x', sizeof copy - 1); /* the network keeps no pointer to the caller's text */
        check_named(net, name, depth_of(name));

        /* The options of a network create another one, and so does the depth with the name or alone. */
        backbone_options now = {.struct_size = sizeof now};
        CHECK_OK(backbone_get_options(net, &now));
        backbone *again = create(&now);
        check_named(again, name, depth_of(name));
        CHECK(entries(again) == entries(net), "%zu entries, not %zu", entries(again), entries(net));
        backbone_free(again);
        if (depth_of(name) != 0) {
            now.architecture = NULL;
            again = create(&now);
            check_named(again, name, depth_of(name));
            backbone_free(again);
        }
        backbone_free(net);
    }
}

static void contradictions_are_named(void) {
    backbone_options options = options_for("resnet26");
    options.depth = 50;
    check_refused("depth is 50, but architecture is 'resnet26'", &options);
    options.depth = 26;
    check_refused("depth is 26, but architecture is 'resnet26'", &options);
    options.architecture = "resnet101";
    options.depth = 50;
    check_refused("depth is 50, but architecture is 'resnet101'", &options);
    options.depth = -1;
    check_refused("depth is -1", &options);
    static const char *const unknown[] = {"resnet27", "ResNet50", "resnet50 ", "resnet5", ""};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        char text[64];
        snprintf(text, sizeof text, "architecture is '%s'", unknown[i]);
        options = options_for(unknown[i]);
        check_refused(text, &options);
    }
    options = options_for("custom");
    check_refused("architecture is 'custom'", &options);
    options = options_for(NULL);
    options.depth = 0;
    check_refused("depth is 0", &options);
    options.depth = 26;
    check_refused("depth is 26", &options);
    options.depth = 50;
    backbone *net = create(&options);
    check_named(net, "resnet50", 50);
    backbone_free(net);
}

/* Valgrind checks that nothing beyond the end of the struct is read or written. */
static void smaller_structs_work_without_names(void) {
    CHECK(OLD_SIZE == 80 && offsetof(backbone_options, architecture) == OLD_SIZE, "%d", OLD_SIZE);
    struct old_options *old = malloc(OLD_SIZE);
    backbone_options *options = (backbone_options *)old; /* as the library sees it */
    if (old == NULL) {
        perror("malloc");
        exit(EXIT_FAILURE);
    }
    CHECK_OK(backbone_options_init(options, OLD_SIZE));
    CHECK(old->struct_size == OLD_SIZE && old->depth == 50, "%u %d", (unsigned)old->struct_size, (int)old->depth);
    old->base_channels = 4;
    backbone *net = create(options);
    check_named(net, "resnet50", 50);
    memset(old, 0xff, OLD_SIZE);
    old->struct_size = OLD_SIZE;
    CHECK_OK(backbone_get_options(net, options));
    CHECK(old->struct_size == OLD_SIZE && old->depth == 50 && old->base_channels == 4, "depth %d", (int)old->depth);
    backbone_free(net);

    static const char *const names[] = {"resnet26", "wide_resnet50_2"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        backbone_options named = options_for(names[i]);
        net = create(&named);
        memset(old, 0x55, OLD_SIZE);
        old->struct_size = OLD_SIZE;
        CHECK_FAILS(INVALID, "struct_size 80", backbone_get_options(net, options));
        CHECK(strstr(backbone_last_error_message(), names[i]) != NULL, "says: %s", backbone_last_error_message());
        CHECK(old->depth == 0x55555555, "a call that failed wrote depth %d", (int)old->depth);
        check_named(net, names[i], 0);
        backbone_free(net);
    }
    free(old);
}

int main(void) {
    names_are_listed();
    every_name_creates_its_network();
    contradictions_are_named();
    smaller_structs_work_without_names();
    printf("%d checks failed\n", failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
