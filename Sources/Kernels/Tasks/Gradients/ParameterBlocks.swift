// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Parameters of a block: with gradients and two averages a quarter of a megabyte, which is some 10 microseconds of work.
private let parametersPerBlock = 16 * 1024

/// Blocks of parameters, or of their gradients, that follow each other; at least 1.
package func parameterBlockCount(_ count: Int) -> Int { max(1, divideRoundingUp(count, parametersPerBlock)) }

/// The parameters of a block. All but the last are of one size, so that what a block computes depends on where it begins
/// alone.
package func parameterBlock(_ block: Int, of count: Int) -> Range<Int> {
    let first = block * parametersPerBlock
    return first..<min(first + parametersPerBlock, count)
}
