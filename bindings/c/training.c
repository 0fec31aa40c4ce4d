/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

#define _XOPEN_SOURCE 700 /* mkdir */

#include "training.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int report(const struct training *training, const char *what) {
    fprintf(stderr, "%s: %s: %s\n", training->arguments.program, what, backbone_last_error_message());
    return 0;
}

int no_memory(const struct training *training) {
    fprintf(stderr, "%s: no memory for the batches; try a smaller --batch or --size\n", training->arguments.program);
    return 0;
}

/* The epoch that a file to resume from was written after, which its name says; 0 for none. */
static int32_t resumed_epoch(const char *program, const char *path) {
    if (path == NULL) {
        return 0;
    }
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
    int epoch = 0, end = 0;
    if (sscanf(name, "epoch-%7d.pth%n", &epoch, &end) != 1 || epoch < 1 || end == 0 || name[end] != '\0') {
        fprintf(stderr, "%s: --resume needs a file epoch-N.pth that %s wrote, not '%s'\n", program, program, path);
        return -1;
    }
    return epoch;
}

static int read_images(struct training *training) {
    const struct arguments *arguments = &training->arguments;
    struct folders *validation = &training->validation;
    if (!read_folders(arguments->program, arguments->folder, &training->images)) {
        return 0;
    }
    if (arguments->validation == NULL) {
        return 1;
    }
    if (!read_folders(arguments->program, arguments->validation, validation)) {
        return 0;
    }
    int same = validation->class_count == training->images.class_count;
    for (size_t i = 0; same && i < validation->class_count; i++) {
        same = strcmp(validation->classes[i], training->images.classes[i]) == 0;
    }
    if (!same) {
        fprintf(stderr, "%s: %s: its classes differ from those of %s; expected folders of the same names\n",
                arguments->program, arguments->validation, arguments->folder);
    }
    return same;
}

/* The network of the file: with a new classifier, or with that of an earlier epoch. */
static int create_network(struct training *training) {
    static const float mean[3] = BACKBONE_IMAGENET_MEAN;
    static const float std_dev[3] = BACKBONE_IMAGENET_STD_DEV;
    const struct arguments *arguments = &training->arguments;
    backbone_options options;
    if (backbone_options_init(&options, sizeof options) != BACKBONE_STATUS_OK) {
        return report(training, "options");
    }
    options.out_stages = BACKBONE_STAGE_LOGITS;
    options.num_classes = (int32_t)training->images.class_count;
    options.frozen_stages = arguments->frozen_stages;
    options.norm_eval = arguments->norm_eval;
    options.threads = arguments->threads;
    options.mean = mean;
    options.std_dev = std_dev;
    backbone_load_options load = {.struct_size = sizeof load};
    load.head = arguments->resume == NULL ? BACKBONE_HEAD_NEW : BACKBONE_HEAD_EXACT;
    const char *path = arguments->resume == NULL ? arguments->weights : arguments->resume;
    if (backbone_create_from_file(path, &options, &load, &training->net, NULL) != BACKBONE_STATUS_OK) {
        return report(training, "weights");
    }
    return 1;
}

static int create_optimizer(struct training *training) {
    const struct arguments *arguments = &training->arguments;
    double factor = arguments->head_factor, decay = arguments->weight_decay;
    const backbone_parameter_group groups[] = {
        {"fc.", BACKBONE_PARAMETERS_WEIGHTS, 0, factor, decay},
        {"fc.", BACKBONE_PARAMETERS_BIASES, 0, factor, 0},
        {NULL, BACKBONE_PARAMETERS_NORMS | BACKBONE_PARAMETERS_BIASES, 0, 1, 0},
    };
    backbone_optimizer_options options;
    if (backbone_optimizer_options_init(&options, sizeof options, BACKBONE_OPTIMIZER_SGD) != BACKBONE_STATUS_OK) {
        return report(training, "options");
    }
    options.momentum = arguments->momentum;
    options.weight_decay = decay;
    options.groups = groups;
    options.group_count = sizeof groups / sizeof *groups;
    if (backbone_optimizer_create(training->net, &options, &training->optimizer) != BACKBONE_STATUS_OK) {
        return report(training, "optimizer");
    }
    if (arguments->resume != NULL &&
        backbone_load_training(training->net, training->optimizer, arguments->resume, NULL) != BACKBONE_STATUS_OK) {
        return report(training, "resume");
    }
    return 1;
}

/* What the steps need: a tape, gradients and a batch. */
static int allocate(struct training *training) {
    size_t ranks = (size_t)training->ranks.count, size = (size_t)training->arguments.size;
    size_t batch = ((size_t)training->arguments.batch + ranks - 1) / ranks;
    if (backbone_tape_create(training->net, NULL, &training->tape) != BACKBONE_STATUS_OK ||
        backbone_trainable_count(training->net, &training->gradient_count) != BACKBONE_STATUS_OK) {
        return report(training, "tape");
    }
    training->gradients = malloc(training->gradient_count * sizeof *training->gradients);
    training->pixels = malloc(batch * size * size * 3);
    training->logits = malloc(batch * training->images.class_count * sizeof *training->logits);
    training->labels = malloc(batch * sizeof *training->labels);
    training->order = malloc(training->images.count * sizeof *training->order);
    int done = training->gradients != NULL && training->pixels != NULL && training->logits != NULL &&
               training->labels != NULL && training->order != NULL;
    return done ? 1 : no_memory(training);
}

static int make_output(const struct training *training) {
    const char *path = training->arguments.output;
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "%s: %s: %s\n", training->arguments.program, path, strerror(errno));
        return 0;
    }
    return 1;
}

/* Whole batches have equal shares, and an epoch has a step. */
static int check_batch(const struct training *training) {
    const struct arguments *arguments = &training->arguments;
    int ranks = training->ranks.count;
    if (arguments->batch % ranks != 0) {
        fprintf(stderr, "%s: --batch is %d; it must be a multiple of the %d processes\n", arguments->program,
                (int)arguments->batch, ranks);
        return 0;
    }
    if (step_count(training) == 0) {
        fprintf(stderr, "%s: %s: %zu images; expected two for each of %d processes\n", arguments->program,
                arguments->folder, training->images.count, ranks);
        return 0;
    }
    return 1;
}

int create_training(struct training *training) {
    const struct arguments *arguments = &training->arguments;
    training->done = resumed_epoch(arguments->program, arguments->resume);
    if (training->done < 0 || !read_images(training) || !check_batch(training) || !create_network(training) ||
        !create_optimizer(training) || !allocate(training)) {
        return 0;
    }
    if (training->done >= arguments->epochs) {
        fprintf(stderr, "%s: %s has all %d epochs; to train on, give more --epochs\n", arguments->program,
                arguments->resume, (int)arguments->epochs);
        return 0;
    }
    return training->ranks.rank != 0 || make_output(training);
}

int save(const struct training *training, int32_t epoch) {
    char name[32];
    snprintf(name, sizeof name, "epoch-%d.pth", (int)epoch);
    char *path = join_path(training->arguments.output, name);
    if (path == NULL) {
        return no_memory(training);
    }
    double rate = learning_rate(training, epoch, step_count(training) - 1);
    backbone_status status = backbone_save_training(training->net, training->optimizer, path, rate);
    free(path);
    return status == BACKBONE_STATUS_OK ? 1 : report(training, "save");
}

void free_training(struct training *training) {
    free(training->order);
    free(training->labels);
    free(training->logits);
    free(training->pixels);
    free(training->gradients);
    backbone_tape_free(training->tape);
    backbone_optimizer_free(training->optimizer);
    backbone_free(training->net);
    free_folders(&training->validation);
    free_folders(&training->images);
}
