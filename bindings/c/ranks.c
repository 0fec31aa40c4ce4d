/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "training.h"

/* Gives all ranks the entries of rank 0: all of them, or buffers alone, which are the running statistics. */
static int send_entries(struct training *training, int buffers_only) {
    backbone *net = training->net;
    size_t count = 0;
    if (backbone_entry_count(net, &count) != BACKBONE_STATUS_OK) {
        return report(training, "entries");
    }
    for (size_t i = 0; i < count; i++) {
        backbone_entry_info info;
        if (backbone_get_entry_info(net, i, &info) != BACKBONE_STATUS_OK) {
            return report(training, "entry");
        }
        if (buffers_only && info.is_parameter) {
            continue;
        }
        size_t size = info.dtype == BACKBONE_DTYPE_INT64 ? 8 : 4;
        for (int32_t axis = 0; axis < info.ndim; axis++) {
            size *= (size_t)info.shape[axis];
        }
        void *data = malloc(size);
        if (data == NULL) {
            return no_memory(training);
        }
        int done = backbone_read_entry(net, i, data, size) == BACKBONE_STATUS_OK;
        if (done) {
            training->ranks.send(data, size);
            done = training->ranks.rank == 0 || backbone_write_entry(net, i, data, size) == BACKBONE_STATUS_OK;
        }
        free(data);
        if (!done) {
            return report(training, info.name);
        }
    }
    return 1;
}

/* The ranks that something is wrong on. All ranks learn their number, so that none goes on alone. */
static double sum_of(const struct training *training, int wrong) {
    double count = wrong;
    training->ranks.sum_doubles(&count, 1);
    return count;
}

int begin_together(struct training *training) {
    if (training->ranks.count == 1) {
        return 1;
    }
    size_t mine[3] = {training->images.count, training->images.class_count, training->gradient_count};
    size_t theirs[3] = {mine[0], mine[1], mine[2]};
    training->ranks.send(theirs, sizeof theirs);
    int differ = memcmp(mine, theirs, sizeof mine) != 0;
    if (differ) {
        fprintf(stderr, "%s: rank %d has %zu images, %zu classes and %zu trainable values, rank 0 has %zu, %zu and %zu;"
                " give all ranks the same folder, weights and options\n",
                training->arguments.program, training->ranks.rank, mine[0], mine[1], mine[2], theirs[0], theirs[1],
                theirs[2]);
    }
    return sum_of(training, differ) == 0 && send_entries(training, 0);
}

int meet(struct training *training) {
    if (training->ranks.count == 1) {
        return 1;
    }
    size_t size = training->gradient_count * sizeof(float);
    float *theirs = malloc(size);
    if (theirs == NULL) {
        return no_memory(training);
    }
    /* The gradients were used: their memory is free. */
    int done = backbone_read_trainable(training->net, training->gradients, training->gradient_count) ==
               BACKBONE_STATUS_OK;
    memcpy(theirs, training->gradients, size);
    training->ranks.send(theirs, size);
    int differ = memcmp(training->gradients, theirs, size) != 0;
    free(theirs);
    if (!done) {
        return report(training, "weights");
    }
    if (differ) {
        fprintf(stderr, "%s: rank %d has other weights than rank 0; give all ranks the same options, and run them on"
                " processors of the same kind\n",
                training->arguments.program, training->ranks.rank);
    }
    return sum_of(training, differ) == 0 && send_entries(training, 1);
}
