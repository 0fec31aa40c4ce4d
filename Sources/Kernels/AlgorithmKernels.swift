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

/// The kernels for one instruction set, by algorithm; there is always one that computes directly.
package struct AlgorithmKernels: Sendable {
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

    /// The kernel of an algorithm; the direct one where there is no other.
    subscript(algorithm: ConvolutionAlgorithm) -> ConvolutionKernel {
        switch algorithm {
        case .direct: direct
        case .winograd2: winograd2 ?? direct
        case .winograd4: winograd4 ?? direct
        case .winograd6: winograd6 ?? direct
        }
    }

    /// Whether there is a kernel of the algorithm that can compute convolutions of the shape.
    func have(_ algorithm: ConvolutionAlgorithm, for shape: ConvolutionShape) -> Bool {
        switch algorithm {
        case .direct: true
        case .winograd2: winograd2?.supports(shape) ?? false
        case .winograd4: winograd4?.supports(shape) ?? false
        case .winograd6: winograd6?.supports(shape) ?? false
        }
    }
}

extension AlgorithmKernels {
    static var reference: AlgorithmKernels { AlgorithmKernels(direct: ReferenceConvolution.kernel) }

    static var portable: AlgorithmKernels { AlgorithmKernels(direct: PortableConvolution.kernel) }

    static var avx2: AlgorithmKernels {
        AlgorithmKernels(
            direct: DirectConvolution<AVX2>.kernel(name: "convolutionF32_direct6x16_avx2"),
            winograd2: WinogradConvolution<AVX2>.kernel2(name: "convolutionF32_winograd2_avx2"),
            winograd4: WinogradConvolution<AVX2>.kernel4(name: "convolutionF32_winograd4_avx2"),
            winograd6: WinogradConvolution<AVX2>.kernel6(name: "convolutionF32_winograd6_avx2"))
    }

    static var avx512: AlgorithmKernels {
        AlgorithmKernels(
            direct: DirectConvolution<AVX512>.kernel(name: "convolutionF32_direct6x32_avx512"),
            winograd2: WinogradConvolution<AVX512>.kernel2(name: "convolutionF32_winograd2_avx512"),
            winograd4: WinogradConvolution<AVX512>.kernel4(name: "convolutionF32_winograd4_avx512"),
            winograd6: WinogradConvolution<AVX512>.kernel6(name: "convolutionF32_winograd6_avx512"))
    }
}
