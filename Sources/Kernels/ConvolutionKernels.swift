// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import KernelsAVX512

extension ConvolutionShape {
    /// Whether the output channels are panels of two vectors of so many floats and, for Winograd's algorithms, the input
    /// channels such vectors.
    func fillsVectors(_ lanes: Int, _ algorithm: ConvolutionAlgorithm) -> Bool {
        outputChannels % (2 * lanes) == 0 && (algorithm == .direct || inputChannels % lanes == 0)
    }
}

/// The kernels of a table that compute convolutions: for each algorithm one that can do what its instruction set can, and
/// perhaps one with wider vectors for the shapes that fill them. So which algorithms there are for a shape, and with them
/// the bits of the result, does not depend on how wide the vectors of the CPU are.
package struct ConvolutionKernels: Sendable {
    private let kernels: AlgorithmKernels
    private let wide: AlgorithmKernels?

    init(_ kernels: AlgorithmKernels, wide: AlgorithmKernels? = nil) {
        self.kernels = kernels
        self.wide = wide
    }

    /// The kernel of an algorithm for a shape, whatever the size of its image; the direct one where the table has no other.
    package subscript(algorithm: ConvolutionAlgorithm, shape: ConvolutionShape) -> ConvolutionKernel {
        if let wide, shape.fillsVectors(AVX512.lanes, algorithm) { return wide[algorithm] }
        return kernels[algorithm]
    }

    /// Whether there is a kernel of the algorithm that can compute convolutions of the shape.
    package func have(_ algorithm: ConvolutionAlgorithm, for shape: ConvolutionShape) -> Bool {
        kernels.have(algorithm, for: shape)
    }
}
