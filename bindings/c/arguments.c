/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

#include "arguments.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char options_text[] =
    "  --weights FILE       start from the weights in this file, with a new classifier\n"
    "  --resume FILE        continue after this epoch; give the other options as in the first run\n"
    "  --output FOLDER      where to write (default: the current folder); created if it is missing\n"
    "  --validation FOLDER  also print loss and accuracy on these images after each epoch\n"
    "  --epochs N           passes through all images (default 10)\n"
    "  --batch N            images per step, of all processes together (default 32)\n"
    "  --size N             height and width that images are cropped to (default 224)\n"
    "  --frozen-stages N    -1: train everything; 0: freeze the stem; 1 to 4: also layer1 to layerN (default 3)\n"
    "  --norm-eval          BatchNorms keep their running statistics\n"
    "  --learning-rate X    of the first step; it falls to 0 along a cosine (default 0.01)\n"
    "  --head-factor X      the classifier's learning rate is X times as high (default 10)\n"
    "  --momentum X         of SGD (default 0.9)\n"
    "  --weight-decay X     of the weights of convolutions and classifier (default 1e-4); norms and biases have none\n"
    "  --flip               mirror half of the images, chosen at random in each epoch\n"
    "  --seed N             for the order of the images and for --flip (default 0)\n"
    "  --threads N          threads to compute with (default: those this process may use)\n"
    "  --help               print this text\n";

enum kind { TEXT, FLAG, WHOLE, REAL };

/* The options, where their values go, and which numbers are allowed. The library checks the rest. */
static const struct option {
    const char *name;
    enum kind kind;
    size_t offset;
    double minimum;
    double maximum;
} options[] = {
    {"--weights", TEXT, offsetof(struct arguments, weights), 0, 0},
    {"--resume", TEXT, offsetof(struct arguments, resume), 0, 0},
    {"--output", TEXT, offsetof(struct arguments, output), 0, 0},
    {"--validation", TEXT, offsetof(struct arguments, validation), 0, 0},
    {"--norm-eval", FLAG, offsetof(struct arguments, norm_eval), 0, 0},
    {"--flip", FLAG, offsetof(struct arguments, flip), 0, 0},
    {"--epochs", WHOLE, offsetof(struct arguments, epochs), 1, 1e5},
    {"--batch", WHOLE, offsetof(struct arguments, batch), 1, 4096},
    {"--size", WHOLE, offsetof(struct arguments, size), 1, 4096},
    {"--frozen-stages", WHOLE, offsetof(struct arguments, frozen_stages), -1, 4},
    {"--seed", WHOLE, offsetof(struct arguments, seed), 0, INT32_MAX},
    {"--threads", WHOLE, offsetof(struct arguments, threads), 0, 1024},
    {"--learning-rate", REAL, offsetof(struct arguments, learning_rate), 0, 1e6},
    {"--head-factor", REAL, offsetof(struct arguments, head_factor), 0, 1e6},
    {"--momentum", REAL, offsetof(struct arguments, momentum), 0, 1},
    {"--weight-decay", REAL, offsetof(struct arguments, weight_decay), 0, 1e6},
};

static const struct option *find_option(const char *name) {
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (strcmp(options[i].name, name) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static int set_option(const struct option *option, const char *text, struct arguments *arguments) {
    void *place = (char *)arguments + option->offset;
    if (option->kind == TEXT) {
        *(const char **)place = text;
        return 1;
    }
    char *end;
    errno = 0;
    double value = option->kind == WHOLE ? (double)strtol(text, &end, 10) : strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !(value >= option->minimum && value <= option->maximum)) {
        fprintf(stderr, "%s: %s needs a %snumber from %g to %g, not '%s'\n", arguments->program, option->name,
                option->kind == WHOLE ? "whole " : "", option->minimum, option->maximum, text);
        return 0;
    }
    if (option->kind == WHOLE) {
        *(int32_t *)place = (int32_t)value;
    } else {
        *(double *)place = value;
    }
    return 1;
}

static int check_arguments(const struct arguments *arguments, const char *usage) {
    const char *wrong = NULL;
    if (arguments->folder == NULL) {
        wrong = "no folder of images given";
    } else if (arguments->weights == NULL && arguments->resume == NULL) {
        wrong = "give --weights or --resume";
    } else if (arguments->weights != NULL && arguments->resume != NULL) {
        wrong = "give --weights or --resume, not both";
    }
    if (wrong != NULL) {
        fprintf(stderr, "%s: %s\n\n%s%s", arguments->program, wrong, usage, options_text);
    }
    return wrong == NULL;
}

int parse_arguments(int argc, char **argv, const char *program, const char *usage, struct arguments *arguments) {
    *arguments = (struct arguments){.program = program,
                                    .output = ".",
                                    .epochs = 10,
                                    .batch = 32,
                                    .size = 224,
                                    .frozen_stages = 3,
                                    .learning_rate = 0.01,
                                    .head_factor = 10,
                                    .momentum = 0.9,
                                    .weight_decay = 1e-4};
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        const struct option *option = find_option(argument);
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            printf("%s%s", usage, options_text);
            return 0;
        }
        if (option == NULL && argument[0] == '-') {
            fprintf(stderr, "%s: unknown option '%s'\n\n%s%s", program, argument, usage, options_text);
            return -1;
        }
        if (option == NULL && arguments->folder != NULL) {
            fprintf(stderr, "%s: more than one folder: '%s' and '%s'\n", program, arguments->folder, argument);
            return -1;
        }
        if (option == NULL) {
            arguments->folder = argument;
        } else if (option->kind == FLAG) {
            *(int32_t *)((char *)arguments + option->offset) = 1;
        } else if (i + 1 == argc) {
            fprintf(stderr, "%s: %s needs a value\n", program, argument);
            return -1;
        } else if (!set_option(option, argv[++i], arguments)) {
            return -1;
        }
    }
    return check_arguments(arguments, usage) ? 1 : -1;
}
