// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Parameters of a block: with gradients and two averages a quarter of a megabyte, about 10 microseconds of work.
private let parametersPerBlock = 16 * 1024

/// Blocks of contiguous parameters, or of their gradients; at least 1.
package func parameterBlockCount(_ count: Int) -> Int { max(1, divideRoundingUp(count, parametersPerBlock)) }

/// The parameters of a block. All except the last have one size, so that the result of a block depends only on its
/// begin.
package func parameterBlock(_ block: Int, of count: Int) -> Range<Int> {
    let first = block * parametersPerBlock
    return first..<min(first + parametersPerBlock, count)
}
