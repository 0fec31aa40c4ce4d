// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The kernels for one instruction set, by algorithm; one of them always computes directly.
///
/// No field is optional: copying an optional kernel asks the Swift runtime for metadata, which allocates.
package struct AlgorithmKernels: Sendable {
    /// Floats of a vector.
    let lanes: Int
    private let direct: ConvolutionKernel
    /// The kernel for convolutions with groups, of shapes that it supports.
    let grouped: ConvolutionKernel
    // The direct one where Winograd has no kernel.
    private let winograd2: ConvolutionKernel
    private let winograd4: ConvolutionKernel
    private let winograd6: ConvolutionKernel
    private let hasWinograd: Bool

    init(direct: ConvolutionKernel, grouped: ConvolutionKernel) {
        self.init(lanes: 1, direct: direct, grouped: grouped, direct, direct, direct, hasWinograd: false)
    }

    init(
        lanes: Int, direct: ConvolutionKernel, grouped: ConvolutionKernel, winograd2: ConvolutionKernel,
        winograd4: ConvolutionKernel, winograd6: ConvolutionKernel
    ) {
        self.init(
            lanes: lanes, direct: direct, grouped: grouped, winograd2, winograd4, winograd6, hasWinograd: true)
    }

    private init(
        lanes: Int, direct: ConvolutionKernel, grouped: ConvolutionKernel, _ winograd2: ConvolutionKernel,
        _ winograd4: ConvolutionKernel, _ winograd6: ConvolutionKernel, hasWinograd: Bool
    ) {
        self.lanes = lanes
        self.direct = direct
        self.grouped = grouped
        self.winograd2 = winograd2
        self.winograd4 = winograd4
        self.winograd6 = winograd6
        self.hasWinograd = hasWinograd
    }

    /// The kernel of an algorithm for convolutions without groups; the direct one where no other exists.
    subscript(algorithm: ConvolutionAlgorithm) -> ConvolutionKernel {
        switch algorithm {
        case .direct: direct
        case .winograd2: winograd2
        case .winograd4: winograd4
        case .winograd6: winograd6
        }
    }

    /// Whether a kernel of the algorithm can compute convolutions of the shape.
    func have(_ algorithm: ConvolutionAlgorithm, for shape: ConvolutionShape) -> Bool {
        switch algorithm {
        case .direct: true
        case .winograd2: hasWinograd && winograd2.supports(shape)
        case .winograd4: hasWinograd && winograd4.supports(shape)
        case .winograd6: hasWinograd && winograd6.supports(shape)
        }
    }
}

extension AlgorithmKernels {
    static var reference: AlgorithmKernels {
        AlgorithmKernels(direct: ReferenceConvolution.kernel, grouped: ReferenceConvolution.kernel)
    }

    static var portable: AlgorithmKernels {
        AlgorithmKernels(direct: PortableConvolution.kernel, grouped: PortableGroupedConvolution.kernel)
    }

    static func vector<Instructions: VectorInstructions>(_: Instructions.Type) -> AlgorithmKernels {
        AlgorithmKernels(
            lanes: Instructions.lanes,
            direct: DirectConvolution<Instructions>.kernel,
            grouped: GroupedConvolution<Instructions>.kernel,
            winograd2: WinogradConvolution<Instructions>.kernel2,
            winograd4: WinogradConvolution<Instructions>.kernel4,
            winograd6: WinogradConvolution<Instructions>.kernel6)
    }
}
