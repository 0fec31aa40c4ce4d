/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

#define _GNU_SOURCE
#include <features.h>

/* Embedded Swift's standard library seeds its hashing with this function, which glibc has since 2.36. */
#if !__GLIBC_PREREQ(2, 36)
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("hidden"))) void arc4random_buf(void *out, size_t size) {
    unsigned char *next = out;
    while (size > 0) {
        /* By number: glibc has the function itself since 2.25. Without it in the kernel, any seed will do. */
        long count = syscall(SYS_getrandom, next, size, 0);
        if (count <= 0) {
            memset(next, 0x5a, size);
            return;
        }
        next += count;
        size -= (size_t)count;
    }
}
#endif
