// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The ways to compute a convolution between which a plan chooses.
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

/// The kernels of a table for each algorithm; every table computes directly.
package struct ConvolutionKernels: Sendable {
    private let direct: ConvolutionKernel
    private let winograd2: ConvolutionKernel?
    private let winograd4: ConvolutionKernel?
    private let winograd6: ConvolutionKernel?

    init(
        direct: ConvolutionKernel, winograd2: ConvolutionKernel? = nil, winograd4: ConvolutionKernel? = nil,
        winograd6: ConvolutionKernel? = nil
    ) {
        self.direct = direct
        self.winograd2 = winograd2
        self.winograd4 = winograd4
        self.winograd6 = winograd6
    }

    /// The kernel of an algorithm; the direct one where the table has no other.
    package subscript(algorithm: ConvolutionAlgorithm) -> ConvolutionKernel {
        switch algorithm {
        case .direct: direct
        case .winograd2: winograd2 ?? direct
        case .winograd4: winograd4 ?? direct
        case .winograd6: winograd6 ?? direct
        }
    }

    /// Whether there is a kernel of the algorithm that can compute convolutions of the shape.
    package func have(_ algorithm: ConvolutionAlgorithm, for shape: ConvolutionShape) -> Bool {
        switch algorithm {
        case .direct: true
        case .winograd2: winograd2?.supports(shape) ?? false
        case .winograd4: winograd4?.supports(shape) ?? false
        case .winograd6: winograd6?.supports(shape) ?? false
        }
    }
}
