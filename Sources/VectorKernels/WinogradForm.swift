// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

// The one-dimensional transforms of Winograd's minimal filtering F(m, 3), by the method of Cook and Toom: two polynomials
// are evaluated at m + 2 points, their values multiplied, and the product is interpolated (Lavin and Gray 2016,
// arXiv:1509.09308; Barabasz et al. 2020, arXiv:1803.10986, on the choice of points). The points here are 0, infinity and
// pairs +p, -p, whose transforms share all but the last addition:
//
//     F(2, 3): 0, ±1, infinity
//     F(4, 3): 0, ±5/8, ±3/2, infinity       a third of the error of ±1, ±2
//     F(6, 3): 0, ±1/2, ±1, ±2, infinity
//
// For the finite points q_0 = 0, q_1, ... with n = m + 1 of them, in exact arithmetic:
//
//     input    row i holds the coefficients of prod over j != i of (x - q_j), the last row those of the whole product
//     weights  (g_0 + g_1 q_i + g_2 q_i^2) / prod over j != i of (q_i - q_j), and g_2 for infinity
//     output   y_k = sum over i of q_i^k m_i, and + m_infinity for k = m - 1
//
// At stride 2 a line is two in one: the first and third weight meet the samples 0, 2, 4, ..., which is F(m, 2) with m + 1
// points, and the second weight alone meets the samples 1, 3, ..., each of which is a point of its own. The points of the
// first kind come first. They are ±1 and infinity for m = 2, ±1/2, ±5/4 and infinity for m = 4; 2 m + 1 of both kinds.
//
// A line with fewer than m outputs, at the edge of an image, is computed with fewer of the points (which ones says
// `shims_winograd_points`): as F(n, 3) for some n < m. Its weights would have fewer factors in their divisors; since they
// are those of the other lines, the input has the missing ones instead, `q_i - q_j` for each point q_j that is left out.

/// The pairs of F(4, 3); all their products are exact.
@inline(__always)
var p4: Float { 0.625 }
@inline(__always)
var q4: Float { 1.5 }

/// The pairs of F(4, 2), for stride 2.
@inline(__always)
var p2: Float { 0.5 }
@inline(__always)
var q2: Float { 1.25 }

/// One of the forms: F(m x m, 3 x 3) at stride 1 or 2. Always built from literals, so that what another form needs is gone
/// after inlining.
struct WinogradForm {
    let m: Int
    let stride: Int

    @inline(__always)
    init(_ m: Int, stride: Int) {
        self.m = m
        self.stride = stride
    }

    /// Points of a line, as many as samples of the input.
    @inline(__always)
    var side: Int { stride == 1 ? m &+ 2 : 2 &* m &+ 1 }

    /// Samples of the input that `outputs` pixels of a line meet.
    @inline(__always)
    func samples(_ outputs: Int) -> Int { stride == 1 ? outputs &+ 2 : side }

    /// Whether a line of `outputs` pixels has a point.
    @inline(__always)
    func has(_ point: Int, _ outputs: Int) -> Bool {
        shims_winograd_points(m, stride, outputs) & (1 &<< UInt32(truncatingIfNeeded: point)) != 0
    }

    /// Points of a line that have weights of their own.
    @inline(__always)
    var weightSide: Int { m &+ 2 }
}
