/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* Training of a classifier on class folders, by one process or by several that share each batch. */

#ifndef TRAINING_H
#define TRAINING_H

#include <stddef.h>
#include <stdint.h>

#include "arguments.h"
#include "backbone.h"
#include "folders.h"

/* The processes that train together. The functions are NULL where one process trains alone: rank 0 of 1. */
struct ranks {
    int rank; /* this process; rank 0 prints and saves */
    int count;
    void (*sum)(float *values, size_t count);         /* replaces the values of all ranks by their sums */
    void (*sum_doubles)(double *values, size_t count);
    void (*send)(void *data, size_t size);            /* replaces the bytes of all ranks by those of rank 0 */
};

/* What the program owns. */
struct training {
    struct arguments arguments;
    struct ranks ranks;
    struct folders images;
    struct folders validation;
    backbone *net;
    backbone_tape *tape;
    backbone_optimizer *optimizer;
    float *gradients; /* of all trainable parameters */
    size_t gradient_count;
    uint8_t *pixels; /* of this rank's share of a batch: rows of RGB */
    float *logits;   /* of the share, then their gradients */
    int64_t *labels; /* of the share */
    size_t *order;   /* of the images of an epoch */
    int32_t done;    /* epochs before this run */
};

/* The functions that return int return 0 after a message. */

/* training.c: reads images and weights, given arguments and ranks. free_training must follow in both cases. */
int create_training(struct training *training);
void free_training(struct training *training);
int save(const struct training *training, int32_t epoch);
int report(const struct training *training, const char *what);
int no_memory(const struct training *training);

/* epochs.c: trains to the last epoch. */
int run_epochs(struct training *training);
double learning_rate(const struct training *training, int32_t epoch, size_t step);
size_t step_count(const struct training *training);

/*
 * ranks.c: what the ranks exchange beside gradients. begin_together gives all ranks the weights and statistics of rank
 * 0 and checks that they have as many images. meet gives them its running statistics and checks that their weights are
 * the same bits.
 */
int begin_together(struct training *training);
int meet(struct training *training);

#endif
