/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* Reads the options of a command line into a struct, by a table. */

#ifndef OPTIONS_H
#define OPTIONS_H

#include <stddef.h>

/* What an option sets: a const char *, an int32_t that becomes 1, an int32_t or a double. */
enum option_kind { TEXT, FLAG, WHOLE, REAL };

struct option {
    const char *name;
    enum option_kind kind;
    size_t offset; /* of the value in the struct */
    double minimum;
    double maximum;
};

struct command_line {
    const char *program; /* messages begin with it */
    const char *usage;   /* the text of --help */
    const char *details; /* the rest of it */
    const char *operand; /* what the one word without an option is: "image" */
    size_t offset;       /* of that word, a const char *, in the struct */
    const struct option *options;
    size_t count;
};

/*
 * Sets what the command line says in the struct `out`, which has the default values. Returns 1 to go on, 0 after the
 * help and -1 after a message.
 */
int read_options(const struct command_line *command, int argc, char **argv, void *out);

/* Prints what is wrong, and the help; -1. */
int misuse(const struct command_line *command, const char *format, ...);

#endif
