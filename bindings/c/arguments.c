/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

#include "arguments.h"

#include <stddef.h>

#include "options.h"

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

/* Which numbers are allowed; the library checks the rest. */
static const struct option options[] = {
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

int parse_arguments(int argc, char **argv, const char *program, const char *usage, struct arguments *arguments) {
    const struct command_line command = {
        program, usage, options_text, "folder", offsetof(struct arguments, folder), options,
        sizeof options / sizeof *options};
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
    int go = read_options(&command, argc, argv, arguments);
    if (go <= 0) {
        return go;
    }
    if (arguments->weights == NULL && arguments->resume == NULL) {
        return misuse(&command, "give --weights or --resume");
    }
    if (arguments->weights != NULL && arguments->resume != NULL) {
        return misuse(&command, "give --weights or --resume, not both");
    }
    return 1;
}
