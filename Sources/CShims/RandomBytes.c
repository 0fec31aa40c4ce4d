/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

#define _GNU_SOURCE
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Embedded Swift's standard library seeds its hashing by this function, which glibc has as of 2.36. The library's own,
 * which nobody else sees, runs with older ones too. */
__attribute__((visibility("hidden"))) void arc4random_buf(void *out, size_t size);

void arc4random_buf(void *out, size_t size) {
    unsigned char *next = out;
    while (size > 0) {
        /* Called by number: glibc has the function itself since 2.25. Without it in the kernel, any seed will do. */
        long count = syscall(SYS_getrandom, next, size, 0);
        if (count <= 0) {
            memset(next, 0x5a, size);
            return;
        }
        next += count;
        size -= (size_t)count;
    }
}
