/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

#include "CShims.h"

#if defined(__x86_64__)
#include <immintrin.h>

int shims_cpu_folds_crc32(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse2");
}

/* x times the two factors, the low half by the first, the high half by the second, and the sum of that with more. */
__attribute__((target("pclmul,sse2"))) static inline __m128i folded(__m128i x, __m128i factors, __m128i more) {
    __m128i low = _mm_clmulepi64_si128(x, factors, 0x00);
    __m128i high = _mm_clmulepi64_si128(x, factors, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), more);
}

/*
 * Polynomials over GF(2), the lowest power in the highest bit. Moving half of a vector by n bits multiplies it by x^n
 * modulo P, the polynomial of the CRC. The product of two reflected numbers is short of one bit, so the factors are
 * x^(n + 32) and x^(n - 32) modulo P, reflected, times two, for n = 512 and n = 128 (Gopal et al. 2009, Fast CRC
 * Computation for Generic Polynomials Using PCLMULQDQ Instruction; Intel).
 */
__attribute__((target("pclmul,sse2"))) void shims_crc32_fold(const void *bytes, size_t count, uint32_t state,
                                                             unsigned char *remainder) {
    const __m128i by_512_bits = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
    const __m128i by_128_bits = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    const __m128i *next = bytes;
    __m128i a = _mm_xor_si128(_mm_loadu_si128(next), _mm_cvtsi32_si128((int)state));
    __m128i b = _mm_loadu_si128(next + 1);
    __m128i c = _mm_loadu_si128(next + 2);
    __m128i d = _mm_loadu_si128(next + 3);
    for (count -= 64, next += 4; count >= 64; count -= 64, next += 4) {
        a = folded(a, by_512_bits, _mm_loadu_si128(next));
        b = folded(b, by_512_bits, _mm_loadu_si128(next + 1));
        c = folded(c, by_512_bits, _mm_loadu_si128(next + 2));
        d = folded(d, by_512_bits, _mm_loadu_si128(next + 3));
    }
    a = folded(a, by_128_bits, b);
    a = folded(a, by_128_bits, c);
    a = folded(a, by_128_bits, d);
    _mm_storeu_si128((__m128i *)remainder, a);
}

#elif defined(__aarch64__)
#include <arm_acle.h>
#include <string.h>
#include <sys/auxv.h>

int shims_cpu_folds_crc32(void) {
    const unsigned long has_crc32 = 1UL << 7; /* HWCAP_CRC32: optional in ARMv8.0, a part of all later ones. */
    return (getauxval(AT_HWCAP) & has_crc32) != 0;
}

/*
 * The CPU has the whole CRC as an instruction, for eight bytes at a time. Its result is turned back into the four bytes
 * that would have given it from a state of 0: each step divides by x, and the highest bit shows whether P was added.
 */
__attribute__((target("crc"))) void shims_crc32_fold(const void *bytes, size_t count, uint32_t state,
                                                     unsigned char *remainder) {
    const unsigned char *next = bytes;
    for (const unsigned char *end = next + count; next < end; next += 8) {
        uint64_t word;
        memcpy(&word, next, sizeof word);
        state = __crc32d(state, word);
    }
    for (int bit = 0; bit < 32; bit++) state = state >> 31 ? (state ^ 0xedb88320) << 1 | 1 : state << 1;
    memset(remainder, 0, 12);
    memcpy(remainder + 12, &state, sizeof state);
}

#else

int shims_cpu_folds_crc32(void) { return 0; }

void shims_crc32_fold(const void *bytes, size_t count, uint32_t state, unsigned char *remainder) {
    (void)bytes;
    (void)count;
    (void)state;
    (void)remainder;
}

#endif
