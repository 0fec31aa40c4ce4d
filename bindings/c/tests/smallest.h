/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* The network of tests that are about files: as few weights as possible. It needs backbone.h and check.h. Their files
 * hold a part of the stem, or nothing of the network. */

static inline backbone_load_options partial(void) {
    backbone_load_options options;
    CHECK(backbone_load_options_init(&options, sizeof options) == BACKBONE_STATUS_OK, "%s",
          backbone_last_error_message());
    options.allow_missing = 1;
    return options;
}

static backbone *create_smallest(void) {
    backbone *net = NULL;
    backbone_options options;
    backbone_options_init(&options, sizeof options);
    options.depth = 18;
    options.base_channels = 1;
    options.out_stages = BACKBONE_STAGE_C2;
    options.threads = 1;
    CHECK(backbone_create(&options, &net) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
    return net;
}
