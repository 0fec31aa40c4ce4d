/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* What a host's own OpenMP computes beside the library: `rounds` parallel loops over `count` values, one by one. */

void compute(float *values, long count, int rounds) {
    for (int round = 0; round < rounds; round++) {
#pragma omp parallel for
        for (long i = 0; i < count; i++) {
            float x = values[i];
            for (int k = 0; k < 16; k++) x = x * 0.999f + 0.001f;
            values[i] = x;
        }
    }
}
