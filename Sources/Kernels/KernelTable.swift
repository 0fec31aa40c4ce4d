// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The kernels that a plan draws on, one field per kind of task.
package struct KernelTable: Sendable {
    package let convolution: ConvolutionKernel
    package let maxPooling: BlockKernel<MaxPoolingTask>
    package let inputConversion: BlockKernel<InputConversionTask>
    package let outputConversion: BlockKernel<OutputConversionTask>
    package let batchStatistics: BlockKernel<BatchStatisticsTask>
    package let batchNormalization: BlockKernel<BatchNormalizationTask>
    package let borderZeroing: BlockKernel<BorderZeroingTask>

    /// Naive loops with sums in Double: the specification of all other kernels.
    package static var reference: KernelTable {
        KernelTable(
            convolution: ReferenceConvolution.kernel,
            maxPooling: ReferenceMaxPooling.kernel,
            inputConversion: ReferenceInputConversion.kernel,
            outputConversion: ReferenceOutputConversion.kernel,
            batchStatistics: ReferenceBatchStatistics.kernel,
            batchNormalization: ReferenceBatchNormalization.kernel,
            borderZeroing: BorderZeroing.kernel
        )
    }

    /// For any CPU: the products by OpenBLAS, the rest in plain Swift.
    package static var portable: KernelTable {
        KernelTable(
            convolution: PortableConvolution.kernel,
            maxPooling: PortableMaxPooling.kernel,
            inputConversion: PortableInputConversion.kernel,
            outputConversion: PortableOutputConversion.kernel,
            batchStatistics: PortableBatchStatistics.kernel,
            batchNormalization: PortableBatchNormalization.kernel,
            borderZeroing: BorderZeroing.kernel
        )
    }

    /// For a CPU with AVX2 and FMA.
    package static var avx2: KernelTable {
        KernelTable(
            convolution: DirectConvolutionAVX2.kernel,
            maxPooling: PortableMaxPooling.kernel,
            inputConversion: PortableInputConversion.kernel,
            outputConversion: PortableOutputConversion.kernel,
            batchStatistics: PortableBatchStatistics.kernel,
            batchNormalization: PortableBatchNormalization.kernel,
            borderZeroing: BorderZeroing.kernel
        )
    }

    /// The fastest table that the CPU at hand can run.
    package static var best: KernelTable { CPUFeatures.hasAVX2 ? .avx2 : .portable }
}
