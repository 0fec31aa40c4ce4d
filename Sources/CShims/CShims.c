/* SPDX-License-Identifier: Apache-2.0 */

#define _GNU_SOURCE
#include "CShims.h"

char *shims_thread_message(void) {
    static _Thread_local char message[SHIMS_MESSAGE_CAPACITY];
    return message;
}

int shims_affinity_cpu_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        /* More CPUs than cpu_set_t can hold. */
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        return online > 0 ? (int)online : 1;
    }
    int count = CPU_COUNT(&set);
    return count > 0 ? count : 1;
}
