/* SPDX-License-Identifier: Apache-2.0 */

/* What tests need of the system and Swift does not offer. */

#ifndef BACKBONE_CTESTSUPPORT_H
#define BACKBONE_CTESTSUPPORT_H

/*
 * Forks; the child ends with what `body` returns, or by a signal after `seconds`. Returns that exit status, minus the
 * number of a signal that ended the child, or -1000 without a child.
 */
int test_in_forked_child(int (*body)(void *context), void *context, unsigned seconds);

/* To be held by a thread that computes with OpenBLAS while others may call test_in_forked_child, which holds it too. */
void test_lock_openblas(void);
void test_unlock_openblas(void);

/* Leaves this process so many bytes of addresses more than it has. Returns 0, or -1 on failure. */
int test_limit_memory(long bytes);

/* Whether this program runs under ThreadSanitizer, which cannot follow a multi-threaded program through a fork. */
int test_has_thread_sanitizer(void);

#endif
