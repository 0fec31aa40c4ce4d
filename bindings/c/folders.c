/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

#define _XOPEN_SOURCE 700 /* scandir */

#include "folders.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

char *join_path(const char *folder, const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path != NULL) {
        snprintf(path, size, "%s/%s", folder, name);
    }
    return path;
}

static int is_visible(const struct dirent *entry) { return entry->d_name[0] != '.'; }

/* By bytes: the order is not to depend on the locale. */
static int compare(const struct dirent **left, const struct dirent **right) {
    return strcmp((*left)->d_name, (*right)->d_name);
}

static int is_jpeg(const struct dirent *entry) {
    const char *end = strrchr(entry->d_name, '.');
    return is_visible(entry) && end != NULL && (strcasecmp(end, ".jpg") == 0 || strcasecmp(end, ".jpeg") == 0);
}

static void free_entries(struct dirent **entries, int count) {
    for (int i = 0; i < count; i++) {
        free(entries[i]);
    }
    free(entries);
}

static int no_memory(const char *program) {
    fprintf(stderr, "%s: no memory for the list of images\n", program);
    return 0;
}

/* Adds the files of one class. */
static int add_examples(const char *program, const char *folder, struct folders *out) {
    struct dirent **files;
    int count = scandir(folder, &files, is_jpeg, compare);
    if (count < 0) {
        fprintf(stderr, "%s: %s: %s\n", program, folder, strerror(errno));
        return 0;
    }
    if (count == 0) {
        fprintf(stderr, "%s: %s: no .jpg or .jpeg file; put images there or remove the folder\n", program, folder);
        free_entries(files, count);
        return 0;
    }
    struct example *more = realloc(out->examples, (out->count + (size_t)count) * sizeof *more);
    int done = more != NULL;
    out->examples = done ? more : out->examples;
    for (int i = 0; done && i < count; i++) {
        char *path = join_path(folder, files[i]->d_name);
        done = path != NULL;
        if (done) {
            out->examples[out->count++] = (struct example){path, (int64_t)out->class_count - 1};
        }
    }
    free_entries(files, count);
    return done ? 1 : no_memory(program);
}

/* Adds a class, if `name` is a folder. */
static int add_class(const char *program, const char *root, const char *name, struct folders *out) {
    char *folder = join_path(root, name);
    struct stat status;
    if (folder == NULL) {
        return no_memory(program);
    }
    if (stat(folder, &status) != 0 || !S_ISDIR(status.st_mode)) {
        free(folder);
        return 1;
    }
    char *copy = malloc(strlen(name) + 1);
    char **more = copy == NULL ? NULL : realloc(out->classes, (out->class_count + 1) * sizeof *more);
    if (more == NULL) {
        free(copy);
        free(folder);
        return no_memory(program);
    }
    out->classes = more;
    out->classes[out->class_count++] = strcpy(copy, name);
    int done = add_examples(program, folder, out);
    free(folder);
    return done;
}

int read_folders(const char *program, const char *path, struct folders *out) {
    memset(out, 0, sizeof *out);
    struct dirent **names;
    int count = scandir(path, &names, is_visible, compare);
    if (count < 0) {
        fprintf(stderr, "%s: %s: %s\n", program, path, strerror(errno));
        return 0;
    }
    int done = 1;
    for (int i = 0; done && i < count; i++) {
        done = add_class(program, path, names[i]->d_name, out);
    }
    free_entries(names, count);
    if (done && out->class_count < 2) {
        fprintf(stderr, "%s: %s: %zu %s; expected a folder for each of two or more classes\n", program, path,
                out->class_count, out->class_count == 1 ? "class" : "classes");
        done = 0;
    }
    return done;
}

void free_folders(struct folders *folders) {
    for (size_t i = 0; i < folders->class_count; i++) {
        free(folders->classes[i]);
    }
    for (size_t i = 0; i < folders->count; i++) {
        free(folders->examples[i].path);
    }
    free(folders->classes);
    free(folders->examples);
    memset(folders, 0, sizeof *folders);
}
