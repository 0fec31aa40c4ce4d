/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* The command line of finetune and distributed. */

#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <stdint.h>

struct arguments {
    const char *program; /* messages begin with it */
    const char *folder;
    const char *weights;
    const char *resume;
    const char *output;
    const char *validation;
    int32_t epochs;
    int32_t batch;
    int32_t size;
    int32_t frozen_stages;
    int32_t norm_eval;
    int32_t flip;
    int32_t seed;
    int32_t threads;
    double learning_rate;
    double head_factor;
    double momentum;
    double weight_decay;
};

/*
 * Reads the command line; what it leaves out gets its default value. `usage` is the text of --help that precedes the
 * options. Returns 1 to go on, 0 after the help and -1 after a message.
 */
int parse_arguments(int argc, char **argv, const char *program, const char *usage, struct arguments *out);

#endif
