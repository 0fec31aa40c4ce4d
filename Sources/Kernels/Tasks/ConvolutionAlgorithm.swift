// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The algorithms for convolutions that a plan chooses from.
package enum ConvolutionAlgorithm: Int, BitwiseCopyable, Sendable {
    /// A multiplication for each term of the definition.
    case direct = 0
    /// Winograd's minimal filtering F(m x m, 3 x 3), m = 2, 4, 6 (at stride 2 up to 4): fewer multiplications, larger rounding errors.
    case winograd2 = 1
    case winograd4 = 2
    case winograd6 = 3

    package static var count: Int { 4 }

    /// Pixels of a Winograd tile in each direction; 1 for direct arithmetic.
    package var tileSize: Int {
        switch self {
        case .direct: 1
        case .winograd2: 2
        case .winograd4: 4
        case .winograd6: 6
        }
    }
}

extension ConvolutionShape {
    /// Whether the output channels are panels of two vectors of so many floats and, for Winograd's algorithms, the input
    /// channels such vectors.
    func fillsVectors(_ lanes: Int, _ algorithm: ConvolutionAlgorithm) -> Bool {
        outputChannels % (2 * lanes) == 0 && (algorithm == .direct || inputChannels % lanes == 0)
    }
}
