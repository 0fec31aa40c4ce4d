/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int misuse(const struct command_line *command, const char *format, ...) {
    va_list values;
    va_start(values, format);
    fprintf(stderr, "%s: ", command->program);
    vfprintf(stderr, format, values);
    fprintf(stderr, "\n\n%s%s", command->usage, command->details);
    va_end(values);
    return -1;
}

static const struct option *find_option(const struct command_line *command, const char *name) {
    for (size_t i = 0; i < command->count; i++) {
        if (strcmp(command->options[i].name, name) == 0) {
            return &command->options[i];
        }
    }
    return NULL;
}

static int set_option(const char *program, const struct option *option, const char *text, void *out) {
    void *place = (char *)out + option->offset;
    if (option->kind == TEXT) {
        *(const char **)place = text;
        return 1;
    }
    char *end;
    errno = 0;
    double value = option->kind == WHOLE ? (double)strtol(text, &end, 10) : strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !(value >= option->minimum && value <= option->maximum)) {
        fprintf(stderr, "%s: %s needs a %snumber from %.10g to %.10g, not '%s'\n", program, option->name,
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

int read_options(const struct command_line *command, int argc, char **argv, void *out) {
    const char **operand = (const char **)((char *)out + command->offset);
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        const struct option *option = find_option(command, argument);
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            printf("%s%s", command->usage, command->details);
            return 0;
        }
        if (option == NULL && argument[0] == '-') {
            return misuse(command, "unknown option '%s'", argument);
        }
        if (option == NULL && *operand != NULL) {
            fprintf(stderr, "%s: more than one %s: '%s' and '%s'\n", command->program, command->operand, *operand,
                    argument);
            return -1;
        }
        if (option == NULL) {
            *operand = argument;
        } else if (option->kind == FLAG) {
            *(int32_t *)((char *)out + option->offset) = 1;
        } else if (i + 1 == argc) {
            fprintf(stderr, "%s: %s needs a value\n", command->program, argument);
            return -1;
        } else if (!set_option(command->program, option, argv[++i], out)) {
            return -1;
        }
    }
    return *operand != NULL ? 1 : misuse(command, "no %s given", command->operand);
}
