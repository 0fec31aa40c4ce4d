/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * Trains a classifier on a folder of images, from a checkpoint of any classifier or backbone.
 *
 *     cc -std=c99 {finetune,arguments,epochs,folders,images,options,ranks,training}.c -lbackbone -ljpeg -lm -o finetune
 *     ./finetune flowers --weights resnet50.pth --output trained
 */

#include <stdlib.h>
#include <string.h>

#include "training.h"

static const char usage[] =
    "Usage: finetune FOLDER --weights FILE [options]\n"
    "       finetune FOLDER --resume OUTPUT/epoch-N.pth [options]\n"
    "\n"
    "Trains a classifier. FOLDER has one folder of JPEGs per class. After each epoch the program writes\n"
    "OUTPUT/epoch-N.pth, with the weights and the state of the optimiser.\n"
    "\n";

int main(int argc, char **argv) {
    struct training training;
    memset(&training, 0, sizeof training);
    training.ranks.count = 1;
    int go = parse_arguments(argc, argv, "finetune", usage, &training.arguments);
    if (go <= 0) {
        return go == 0 ? EXIT_SUCCESS : 2;
    }
    int done = create_training(&training) && run_epochs(&training);
    free_training(&training);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
