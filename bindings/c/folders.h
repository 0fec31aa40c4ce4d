/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* A folder of images with one folder per class, as torchvision's ImageFolder reads them. */

#ifndef FOLDERS_H
#define FOLDERS_H

#include <stddef.h>
#include <stdint.h>

struct example {
    char *path;
    int64_t label; /* the class's position */
};

struct folders {
    char **classes; /* names in the order of their bytes */
    size_t class_count;
    struct example *examples;
    size_t count;
};

/*
 * Lists the classes of a folder and their files *.jpg and *.jpeg; other files are ignored. Returns 0 after a message,
 * which begins with the name of the program. In both cases free_folders must follow.
 */
int read_folders(const char *program, const char *path, struct folders *out);

void free_folders(struct folders *folders);

/* "folder/name", to be freed; NULL if memory runs out. */
char *join_path(const char *folder, const char *name);

#endif
