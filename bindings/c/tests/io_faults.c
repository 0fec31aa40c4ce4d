/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * Lets the library's system calls on files fail, each in turn and all from each one on, and be cut short and
 * interrupted. Saving is to end in a status with the older file whole, nothing beside it and no descriptor open;
 * loading with the network as it was.
 *
 * This program's own functions replace those of the C library; the calls that it makes itself go past them.
 */

#define _GNU_SOURCE /* RTLD_NEXT */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backbone.h"
#include "check.h"
#include "smallest.h"

/* ---- System calls that fail ------------------------------------------------------------------------------------- */

static long countdown = -1;   /* calls until one fails; -1: none does */
static int persistent;        /* all from that one on fail */
static int error;             /* errno of the failure; 0: the file ends, or nothing can be written */
static const char *failed;    /* which function was the last to fail */
static int is_cut;            /* reads and writes do at most one byte, and every other one is interrupted */
static int is_renamed;        /* a rename has succeeded */
static int synchronizations;  /* calls of fsync */
static long transfers;

/* Whether the call that is being made is to fail; errno is then set. */
static int fails(const char *name) {
    if (countdown < 0) return 0;
    if (countdown > 0) {
        countdown--;
        return 0;
    }
    if (!persistent) countdown = -1;
    failed = name;
    errno = error;
    return 1;
}

/* The C library's own function. A pointer to data becomes one to a function by way of memory: C has no cast for it. */
#define NEXT(result, name, ...)            \
    static result (*next)(__VA_ARGS__);    \
    if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, name)

int open(const char *name, int flags, ...) {
    NEXT(int, "open", const char *, int, ...);
    va_list arguments;
    va_start(arguments, flags);
    unsigned mode = flags & O_CREAT ? va_arg(arguments, unsigned) : 0;
    va_end(arguments);
    return fails("open") ? -1 : next(name, flags, mode);
}

int stat(const char *name, struct stat *out) {
    NEXT(int, "stat", const char *, struct stat *);
    return fails("stat") ? -1 : next(name, out);
}

int lstat(const char *name, struct stat *out) {
    NEXT(int, "lstat", const char *, struct stat *);
    return fails("lstat") ? -1 : next(name, out);
}

int fstat(int file, struct stat *out) {
    NEXT(int, "fstat", int, struct stat *);
    return fails("fstat") ? -1 : next(file, out);
}

/* What these three are called by a library that was linked with a C library before 2.33, such as that for ARM. */
int __xstat(int version, const char *name, struct stat *out) { return (void)version, stat(name, out); }
int __lxstat(int version, const char *name, struct stat *out) { return (void)version, lstat(name, out); }
int __fxstat(int version, int file, struct stat *out) { return (void)version, fstat(file, out); }

int access(const char *name, int mode) {
    NEXT(int, "access", const char *, int);
    return fails("access") ? -1 : next(name, mode);
}

ssize_t readlink(const char *name, char *out, size_t size) {
    NEXT(ssize_t, "readlink", const char *, char *, size_t);
    return fails("readlink") ? -1 : next(name, out, size);
}

int fchmod(int file, mode_t mode) {
    NEXT(int, "fchmod", int, mode_t);
    return fails("fchmod") ? -1 : next(file, mode);
}

int fsync(int file) {
    synchronizations++;
    NEXT(int, "fsync", int);
    return fails("fsync") ? -1 : next(file);
}

int rename(const char *from, const char *to) {
    NEXT(int, "rename", const char *, const char *);
    int result = fails("rename") ? -1 : next(from, to);
    if (result == 0) is_renamed = 1;
    return result;
}

/* Closes in any case, as Linux does. */
int close(int file) {
    NEXT(int, "close", int);
    int result = next(file);
    return fails("close") ? -1 : result;
}

static int is_interrupted(void) {
    errno = EINTR;
    return is_cut && transfers++ % 2 == 0;
}

ssize_t pread(int file, void *out, size_t size, off_t offset) {
    NEXT(ssize_t, "pread", int, void *, size_t, off_t);
    if (is_interrupted()) return -1;
    if (fails("pread")) return error == 0 ? 0 : -1;
    return next(file, out, is_cut && size > 1 ? 1 : size, offset);
}

/* For a stream that is not a socket. */
ssize_t read(int file, void *out, size_t size) {
    NEXT(ssize_t, "read", int, void *, size_t);
    if (is_interrupted()) return -1;
    if (fails("read")) return error == 0 ? 0 : -1;
    return next(file, out, is_cut && size > 1 ? 1 : size);
}

int poll(struct pollfd *list, nfds_t count, int milliseconds) {
    NEXT(int, "poll", struct pollfd *, nfds_t, int);
    return fails("poll") ? -1 : next(list, count, milliseconds);
}

ssize_t write(int file, const void *data, size_t size) {
    NEXT(ssize_t, "write", int, const void *, size_t);
    if (is_interrupted()) return -1;
    if (fails("write")) return error == 0 ? 0 : -1;
    return next(file, data, is_cut && size > 1 ? 1 : size);
}

/* ---- What is looked at ------------------------------------------------------------------------------------------ */

enum { ENTRIES = 30, CAPACITY = 1 << 16 };

static char folder[] = "/tmp/backbone-XXXXXX";

struct bytes {
    size_t count;
    char values[CAPACITY];
};

static struct bytes content_of(const char *path) {
    static struct bytes result;
    FILE *file = fopen(path, "rb");
    result.count = file != NULL ? fread(result.values, 1, CAPACITY, file) : 0;
    if (file != NULL) fclose(file);
    return result;
}

static int same(const struct bytes *a, const struct bytes *b) {
    return a->count == b->count && memcmp(a->values, b->values, a->count) == 0;
}

/* All values of a network. */
static struct bytes weights(const backbone *net) {
    static struct bytes result;
    result.count = 0;
    for (size_t i = 0; i < ENTRIES; i++) {
        backbone_entry_info info;
        if (backbone_get_entry_info(net, i, &info) != BACKBONE_STATUS_OK) break;
        size_t size = info.dtype == BACKBONE_DTYPE_INT64 ? 8 : 4;
        for (int axis = 0; axis < info.ndim; axis++) size *= (size_t)info.shape[axis];
        if (backbone_read_entry(net, i, result.values + result.count, size) == BACKBONE_STATUS_OK) result.count += size;
    }
    return result;
}

static long names_in(const char *path) {
    long count = 0;
    DIR *list = opendir(path);
    while (list != NULL && readdir(list) != NULL) count++;
    if (list != NULL) closedir(list);
    return count;
}

static backbone *create(uint64_t seed) {
    backbone *net = create_smallest();
    CHECK(backbone_init_weights(net, seed) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
    return net;
}

/* ---- Attempts --------------------------------------------------------------------------------------------------- */

static void check_status(const char *what, backbone_status status, const char *path, long nth) {
    int is_known = status == BACKBONE_STATUS_OK || status == BACKBONE_STATUS_IO ||
                   status == BACKBONE_STATUS_OUT_OF_MEMORY || status == BACKBONE_STATUS_BAD_CHECKPOINT;
    CHECK(is_known, "%s, call %ld (%s): status %d", what, nth, failed, (int)status);
    if (status == BACKBONE_STATUS_OK) return;
    const char *message = backbone_last_error_message();
    CHECK(strstr(message, path) == message, "%s, call %ld (%s): %s", what, nth, failed, message);
    /* The system's reason is told, and memory that it lacks is told as such. */
    CHECK(error == 0 || strstr(message, strerror(error)) != NULL, "%s, call %ld (%s): %s", what, nth, failed, message);
    CHECK((status == BACKBONE_STATUS_OUT_OF_MEMORY) == (error == ENOMEM), "status %d: %s", (int)status, message);
}

static struct bytes older, newer;

/* Saves over an older file. */
static backbone_status save(backbone *net, const char *path, const char *target, long nth) {
    FILE *file = fopen(target, "wb");
    CHECK(file != NULL && fwrite(older.values, 1, older.count, file) == older.count, "cannot write %s", target);
    if (file != NULL) fclose(file);
    long names = names_in(folder), descriptors = names_in("/proc/self/fd");
    is_renamed = 0;
    synchronizations = 0;
    failed = NULL;
    countdown = nth;
    backbone_status status = backbone_save_weights(net, path);
    countdown = -1;
    check_status("save", status, path, nth);
    struct bytes found = content_of(target);
    /* A failure to bring the folder to the disk comes after the rename, and is told; no other does. */
    CHECK(is_renamed || status != BACKBONE_STATUS_OK, "call %ld (%s): nothing was renamed", nth, failed);
    CHECK(!is_renamed || status == BACKBONE_STATUS_OK || synchronizations == 2, "call %ld (%s)", nth, failed);
    CHECK(same(&found, is_renamed ? &newer : &older), "call %ld (%s), status %d: %zu bytes", nth, failed, (int)status,
          found.count);
    CHECK(names_in(folder) == names, "call %ld (%s): a file was left", nth, failed);
    CHECK(names_in("/proc/self/fd") == descriptors, "call %ld (%s): a descriptor was left open", nth, failed);
    return status;
}

static backbone_status load(backbone *net, const char *path, const char *target, long nth) {
    (void)target;
    struct bytes before = weights(net);
    long descriptors = names_in("/proc/self/fd");
    backbone_report *report = NULL;
    failed = NULL;
    countdown = nth;
    backbone_status status = backbone_load_weights(net, path, 1, &report);
    countdown = -1;
    check_status("load", status, path, nth);
    CHECK((report != NULL) == (status == BACKBONE_STATUS_OK), "status %d", (int)status);
    backbone_report_free(report);
    struct bytes after = weights(net);
    CHECK(same(&after, status == BACKBONE_STATUS_OK ? &newer : &before), "call %ld (%s): status %d", nth, failed,
          (int)status);
    CHECK(names_in("/proc/self/fd") == descriptors, "call %ld (%s): a descriptor was left open", nth, failed);
    return status;
}

/* Loads from a pipe that has the file in it. */
static backbone_status load_stream(backbone *net, const char *path, const char *target, long nth) {
    (void)path;
    char name[64];
    int ends[2], was_cut = is_cut;
    struct bytes file = content_of(target);
    is_cut = 0;
    CHECK(pipe(ends) == 0 && write(ends[1], file.values, file.count) == (ssize_t)file.count, "%s", strerror(errno));
    is_cut = was_cut;
    close(ends[1]);
    snprintf(name, sizeof name, "/proc/self/fd/%d", ends[0]);
    backbone_status status = load(net, name, target, nth);
    close(ends[0]);
    return status;
}

typedef backbone_status attempt(backbone *net, const char *path, const char *target, long nth);

/* Every call in turn fails, in every way, up to one more than the calls made, where nothing fails. */
static void every_call_fails(const char *what, attempt *attempt, const char *path, const char *target) {
    static const int errors[] = {EIO, ENOSPC, EMFILE, ENOMEM, EINTR, 0};
    for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
        error = errors[e];
        /* Interruptions without end would be waited for without end. */
        for (persistent = 0; persistent < (error == EINTR ? 1 : 2); persistent++) {
            long nth = 0, refused = 0;
            for (;; nth++) {
                backbone *net = create(2);
                backbone_status status = attempt(net, path, target, nth);
                backbone_free(net);
                refused += status != BACKBONE_STATUS_OK;
                if (failed == NULL) {
                    CHECK(status == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
                    break;
                }
            }
            CHECK(nth > 4, "%s makes %ld calls", what, nth);
            if (error != EINTR) CHECK(refused > 1, "%s: %ld of %ld failures were told", what, refused, nth);
            printf("%-22s %-28s %s: %ld calls, %ld refused\n", what, error == 0 ? "nothing more" : strerror(error),
                   persistent ? "lasting" : "single", nth, refused);
        }
    }
    error = 0;
    is_cut = 1;
    backbone *net = create(2);
    CHECK(attempt(net, path, target, -1) == BACKBONE_STATUS_OK, "%s byte by byte", what);
    is_cut = 0;
    backbone_free(net);
}

/* A disk that is full after so many bytes, which the system itself plays. */
static void every_disk_is_full(const char *path) {
    struct rlimit unlimited, limited;
    CHECK(getrlimit(RLIMIT_FSIZE, &unlimited) == 0, "getrlimit");
    signal(SIGXFSZ, SIG_IGN);
    backbone *net = create(2);
    error = EFBIG;
    for (size_t size = 0; size <= newer.count; size += size % 64 < 2 || newer.count - size < 8 ? 1 : 7) {
        FILE *file = fopen(path, "wb");
        CHECK(file != NULL && fwrite(older.values, 1, older.count, file) == older.count, "cannot write %s", path);
        if (file != NULL) fclose(file);
        limited = unlimited;
        limited.rlim_cur = size;
        CHECK(setrlimit(RLIMIT_FSIZE, &limited) == 0, "setrlimit");
        backbone_status status = backbone_save_weights(net, path);
        CHECK(setrlimit(RLIMIT_FSIZE, &unlimited) == 0, "setrlimit");
        check_status("a full disk", status, path, (long)size);
        CHECK((status == BACKBONE_STATUS_OK) == (size >= newer.count), "%zu of %zu bytes: status %d", size, newer.count,
              (int)status);
        struct bytes found = content_of(path);
        CHECK(same(&found, status == BACKBONE_STATUS_OK ? &newer : &older), "%zu bytes", size);
    }
    backbone_free(net);
}

int main(void) {
    CHECK(mkdtemp(folder) != NULL, "%s", strerror(errno));
    static const char *const endings[] = {"pth", "safetensors"};
    for (size_t i = 0; i < 2; i++) {
        char path[64], link[64], what[64];
        snprintf(path, sizeof path, "%s/x.%s", folder, endings[i]);
        snprintf(link, sizeof link, "%s/link.%s", folder, endings[i]);
        backbone *first = create(1), *second = create(2);
        CHECK(backbone_save_weights(first, path) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
        older = content_of(path);
        CHECK(backbone_save_weights(second, path) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
        newer = content_of(path);
        CHECK(older.count == newer.count && older.count > 1000 && !same(&older, &newer), "%zu bytes", newer.count);

        snprintf(what, sizeof what, "save .%s", endings[i]);
        every_call_fails(what, save, path, path);
        CHECK(symlink(path, link) == 0, "%s", strerror(errno));
        snprintf(what, sizeof what, "link to .%s", endings[i]);
        every_call_fails(what, save, link, path);
        every_disk_is_full(path);

        CHECK(backbone_save_weights(first, path) == BACKBONE_STATUS_OK, "%s", backbone_last_error_message());
        newer = weights(first);
        CHECK(newer.count > 4 * 147, "%zu bytes of weights", newer.count);
        snprintf(what, sizeof what, "load .%s", endings[i]);
        every_call_fails(what, load, path, path);
        snprintf(what, sizeof what, "stream of .%s", endings[i]);
        every_call_fails(what, load_stream, path, path);
        backbone_free(first);
        backbone_free(second);
        remove(link);
        remove(path);
    }
    CHECK(rmdir(folder) == 0, "%s: %s", folder, strerror(errno));
    printf("%d failed\n", failures);
    return failures != 0;
}
