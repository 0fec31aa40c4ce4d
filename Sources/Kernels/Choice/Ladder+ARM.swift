// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

#if arch(arm64)

    import KernelsNEON

    // The instruction sets of 64-bit ARM with kernels: the only list of them.

    typealias NEON = KernelsNEON.Leaves

    extension NEON: VectorInstructions {
        static var names: VectorKernelNames {
            VectorKernelNames(
                direct: "convolutionF32_direct6x16_neon", grouped: "convolutionF32_grouped6x16_neon",
                winograd2: "convolutionF32_winograd2_neon", winograd4: "convolutionF32_winograd4_neon",
                winograd6: "convolutionF32_winograd6_neon", maxPooling: "maxPoolingF32_neon",
                inputConversion: "inputConversion_neon", elementwise: "elementwiseF32_neon",
                batchNormalization: "batchNormalizationF32_neon", batchStatistics: "batchStatisticsF32_neon",
                groupNormalization: "groupNormalizationF32_neon", globalPooling: "globalPoolingF32_neon",
                averagePooling: "averagePoolingF32_neon", blur: "blurF32_neon", linear: "linearF32_neon",
                outputConversion: "outputConversion_neon",
                packing: "weightPackingF32_neon", weightGradient: "weightGradientF32_neon",
                winogradWeightGradient: "weightGradientF32_winograd4_neon",
                normGradientSums: "normGradientSumsF32_neon",
                batchNormalizationGradient: "batchNormalizationGradientF32_neon",
                sgdStep: "sgdStepF32_neon",
                adamWStep: "adamWStepF32_neon", squaredSums: "squaredSumsF32_neon")
        }
    }

    extension Ladder {
        package static var count: Int { 1 }

        package static subscript(_: Int) -> Rung {
            // A part of the architecture.
            Rung(
                "neon", NEON.self, isPresent: { true },
                table: {
                    .vector(NEON.self, ConvolutionKernels(.vector(NEON.self)), .vector(NEON.self, products: NEON.self))
                })
        }
    }

#endif
