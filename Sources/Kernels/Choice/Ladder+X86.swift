// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

#if arch(x86_64)

    import CShims
    import KernelsAVX2
    import KernelsAVX512

    // The instruction sets of x86-64 with kernels: the only list of them.

    typealias AVX2 = KernelsAVX2.Leaves
    typealias AVX512 = KernelsAVX512.Leaves

    extension AVX2: VectorInstructions {
        static var names: VectorKernelNames {
            VectorKernelNames(
                direct: "convolutionF32_direct6x16_avx2", grouped: "convolutionF32_grouped6x16_avx2",
                winograd2: "convolutionF32_winograd2_avx2", winograd4: "convolutionF32_winograd4_avx2",
                winograd6: "convolutionF32_winograd6_avx2", maxPooling: "maxPoolingF32_avx2",
                inputConversion: "inputConversion_avx2", elementwise: "elementwiseF32_avx2",
                batchNormalization: "batchNormalizationF32_avx2", batchStatistics: "batchStatisticsF32_avx2",
                groupNormalization: "groupNormalizationF32_avx2", globalPooling: "globalPoolingF32_avx2",
                averagePooling: "averagePoolingF32_avx2", blur: "blurF32_avx2", linear: "linearF32_avx2",
                outputConversion: "outputConversion_avx2",
                packing: "weightPackingF32_avx2", weightGradient: "weightGradientF32_avx2",
                winogradWeightGradient: "weightGradientF32_winograd4_avx2",
                normGradientSums: "normGradientSumsF32_avx2",
                batchNormalizationGradient: "batchNormalizationGradientF32_avx2",
                sgdStep: "sgdStepF32_avx2",
                adamWStep: "adamWStepF32_avx2", squaredSums: "squaredSumsF32_avx2")
        }
    }

    extension AVX512: VectorInstructions {
        static var names: VectorKernelNames {
            VectorKernelNames(
                direct: "convolutionF32_direct6x32_avx512", grouped: "convolutionF32_grouped6x32_avx512",
                winograd2: "convolutionF32_winograd2_avx512", winograd4: "convolutionF32_winograd4_avx512",
                winograd6: "convolutionF32_winograd6_avx512", maxPooling: "maxPoolingF32_avx512",
                inputConversion: "inputConversion_avx512", elementwise: "elementwiseF32_avx512",
                batchNormalization: "batchNormalizationF32_avx512", batchStatistics: "batchStatisticsF32_avx512",
                groupNormalization: "groupNormalizationF32_avx512", globalPooling: "globalPoolingF32_avx512",
                averagePooling: "averagePoolingF32_avx512", blur: "blurF32_avx512", linear: "linearF32_avx512",
                outputConversion: "outputConversion_avx512",
                packing: "weightPackingF32_avx512", weightGradient: "weightGradientF32_avx512",
                winogradWeightGradient: "weightGradientF32_winograd4_avx512",
                normGradientSums: "normGradientSumsF32_avx512",
                batchNormalizationGradient: "batchNormalizationGradientF32_avx512",
                sgdStep: "sgdStepF32_avx512",
                adamWStep: "adamWStepF32_avx512", squaredSums: "squaredSumsF32_avx512")
        }
    }

    extension Ladder {
        package static var count: Int { 2 }

        // Not an array: a generic type would ask the Swift runtime for metadata, which allocates.
        package static subscript(index: Int) -> Rung {
            switch index {
            case 0:
                // The parts of AVX-512 that all server processors with it have: F, BW, DQ and VL.
                Rung(
                    "avx512", AVX512.self, isPresent: { shims_cpu_has_avx512() != 0 },
                    table: {
                        .vector(
                            AVX2.self, ConvolutionKernels(.vector(AVX2.self), wide: .vector(AVX512.self)),
                            .vector(AVX2.self, products: AVX512.self))
                    })
            default:
                // AVX2 and FMA.
                Rung(
                    "avx2", AVX2.self, isPresent: { shims_cpu_has_avx2_fma() != 0 },
                    table: {
                        .vector(
                            AVX2.self, ConvolutionKernels(.vector(AVX2.self)), .vector(AVX2.self, products: AVX2.self))
                    })
            }
        }
    }

#endif
