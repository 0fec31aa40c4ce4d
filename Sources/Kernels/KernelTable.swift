// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The kernels that a plan draws on, one field per kind of task.
package struct KernelTable: Sendable {
    package let convolutions: ConvolutionKernels
    package let maxPooling: BlockKernel<MaxPoolingTask>
    package let inputConversion: BlockKernel<InputConversionTask>
    package let outputConversion: BlockKernel<OutputConversionTask>
    package let batchStatistics: BlockKernel<BatchStatisticsTask>
    package let batchNormalization: BlockKernel<BatchNormalizationTask>
    package let borderZeroing: BlockKernel<BorderZeroingTask>
    /// Whether a kernel calls OpenBLAS, so that passes must hold `BLASThreading`.
    package let usesBLAS: Bool

    /// Naive loops with sums in Double: the specification of all other kernels.
    package static var reference: KernelTable {
        KernelTable(
            convolutions: ConvolutionKernels(.reference),
            maxPooling: ReferenceMaxPooling.kernel,
            inputConversion: ReferenceInputConversion.kernel,
            outputConversion: ReferenceOutputConversion.kernel,
            batchStatistics: ReferenceBatchStatistics.kernel,
            batchNormalization: ReferenceBatchNormalization.kernel,
            borderZeroing: BorderZeroing.kernel,
            usesBLAS: false
        )
    }

    /// For any CPU: the products by OpenBLAS, the rest in plain Swift.
    package static var portable: KernelTable {
        KernelTable(
            convolutions: ConvolutionKernels(.portable),
            maxPooling: PortableMaxPooling.kernel,
            inputConversion: PortableInputConversion.kernel,
            outputConversion: PortableOutputConversion.kernel,
            batchStatistics: PortableBatchStatistics.kernel,
            batchNormalization: PortableBatchNormalization.kernel,
            borderZeroing: BorderZeroing.kernel,
            usesBLAS: true
        )
    }

    /// For a CPU with AVX2 and FMA.
    package static var avx2: KernelTable { vector(ConvolutionKernels(.avx2)) }

    /// For a CPU with AVX-512 (F, BW, DQ and VL) besides.
    package static var avx512: KernelTable { vector(ConvolutionKernels(.avx2, wide: .avx512)) }

    /// What moves memory more than it computes gains nothing from vectors wider than AVX2's.
    private static func vector(_ convolutions: ConvolutionKernels) -> KernelTable {
        KernelTable(
            convolutions: convolutions,
            maxPooling: MaxPoolingAVX2.kernel,
            inputConversion: InputConversionAVX2.kernel,
            outputConversion: PortableOutputConversion.kernel,
            batchStatistics: PortableBatchStatistics.kernel,
            batchNormalization: PortableBatchNormalization.kernel,
            borderZeroing: BorderZeroing.kernel,
            usesBLAS: false
        )
    }

    /// The fastest table that the CPU at hand can run.
    ///
    /// - Throws: `invalidArgument`, see `CPUFeatures.usable`; `io` where the portable kernels have no OpenBLAS.
    package static func best() throws(BackboneError) -> KernelTable {
        let features = try CPUFeatures.usable()
        if features.contains(.avx512) { return .avx512 }
        if features.contains(.avx2) { return .avx2 }
        try OpenBLAS.load()
        return .portable
    }
}
