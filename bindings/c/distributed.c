/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * Trains a classifier as finetune does, with several processes on one machine or on many, which exchange gradients
 * through MPI.
 *
 *     mpicc -std=c99 {distributed,arguments,epochs,folders,images,options,ranks,training}.c -lbackbone -ljpeg -lm \
 *         -o distributed
 *     mpirun -n 2 ./distributed flowers --weights resnet50.pth --output trained
 */

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "training.h"

static const char usage[] =
    "Usage: mpirun -n N distributed FOLDER --weights FILE [options]\n"
    "       mpirun -n N distributed FOLDER --resume OUTPUT/epoch-N.pth [options]\n"
    "\n"
    "Trains a classifier with N processes. FOLDER has one folder of JPEGs per class. Each process computes its share\n"
    "of every batch. All processes must see the folder and the file under these paths. After each epoch the first\n"
    "process writes OUTPUT/epoch-N.pth, with the weights and the state of the optimiser.\n"
    "\n";

/* MPI counts in int: at most this many values in one call. */
enum { AT_ONCE = 1 << 28 };

static int smaller(size_t count) { return count < AT_ONCE ? (int)count : AT_ONCE; }

/* Errors of MPI end all processes, with its own message. MPI promises all ranks the same bits of a sum. */
static void sum(float *values, size_t count) {
    for (size_t done = 0; done < count; done += AT_ONCE) {
        MPI_Allreduce(MPI_IN_PLACE, values + done, smaller(count - done), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    }
}

static void sum_doubles(double *values, size_t count) {
    MPI_Allreduce(MPI_IN_PLACE, values, (int)count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

static void send(void *data, size_t size) {
    for (size_t done = 0; done < size; done += AT_ONCE) {
        MPI_Bcast((char *)data + done, smaller(size - done), MPI_BYTE, 0, MPI_COMM_WORLD);
    }
}

/* Rank 0 begins, so that what is wrong for all is printed once. All ranks return what its step returned. */
static int first_rank_0(struct training *training, int (*step)(struct training *)) {
    int result = 0;
    if (training->ranks.rank == 0) {
        result = step(training);
    }
    send(&result, sizeof result);
    /* The others would wait for a rank that gives up alone. */
    if (training->ranks.rank != 0 && result > 0 && step(training) <= 0) {
        MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
    }
    return result;
}

/* The command line, where MPI_Init has taken its own options from it. */
static int argument_count;
static char **argument_texts;

static int parse(struct training *training) {
    return parse_arguments(argument_count, argument_texts, "distributed", usage, &training->arguments);
}

int main(int argc, char **argv) {
    struct training training;
    memset(&training, 0, sizeof training);
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &training.ranks.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &training.ranks.count);
    training.ranks.sum = sum;
    training.ranks.sum_doubles = sum_doubles;
    training.ranks.send = send;
    argument_count = argc;
    argument_texts = argv;
    int status = EXIT_SUCCESS, go = first_rank_0(&training, parse);
    if (go <= 0) {
        status = go == 0 ? EXIT_SUCCESS : 2;
    } else if (!first_rank_0(&training, create_training)) {
        status = EXIT_FAILURE;
    } else if (!begin_together(&training) || !run_epochs(&training)) {
        MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
    }
    free_training(&training);
    MPI_Finalize();
    return status;
}
