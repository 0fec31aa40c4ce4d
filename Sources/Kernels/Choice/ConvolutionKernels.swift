// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The kernels of a table that compute convolutions: for each algorithm one with all capabilities of its instruction
/// set, and perhaps one with wider vectors for the shapes that fill them. So the algorithms for a shape, and with them
/// the bits of the result, do not depend on the width of the CPU's vectors.
package struct ConvolutionKernels: Sendable {
    /// The kernels for every shape.
    let kernels: AlgorithmKernels
    /// The kernels with wider vectors; the same where wider vectors have none.
    private let wide: AlgorithmKernels

    init(_ kernels: AlgorithmKernels) { self.init(kernels, wide: kernels) }

    init(_ kernels: AlgorithmKernels, wide: AlgorithmKernels) {
        self.kernels = kernels
        self.wide = wide
    }

    /// The kernel of an algorithm for a shape, for any image size; the direct one if the table has no other.
    package subscript(algorithm: ConvolutionAlgorithm, shape: ConvolutionShape) -> ConvolutionKernel {
        if shape.groups > 1 { return grouped(shape) }
        if shape.fillsVectors(wide.lanes, algorithm) { return wide[algorithm] }
        return kernels[algorithm]
    }

    /// The kernel for groups, which always computes directly. Plain Swift for groups that do not fill vectors: the
    /// portable kernel does not need OpenBLAS here.
    private func grouped(_ shape: ConvolutionShape) -> ConvolutionKernel {
        if wide.grouped.supports(shape) { return wide.grouped }
        return kernels.grouped.supports(shape) ? kernels.grouped : PortableGroupedConvolution.kernel
    }

    /// Whether a kernel of the algorithm can compute convolutions of the shape.
    package func have(_ algorithm: ConvolutionAlgorithm, for shape: ConvolutionShape) -> Bool {
        kernels.have(algorithm, for: shape)
    }
}
