// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The kernels of a plan, one field per kind of task.
package struct KernelTable: Sendable {
    package let convolutions: ConvolutionKernels
    package let maxPooling: Kernel<MaxPoolingTask>
    package let averagePooling: Kernel<AveragePoolingTask>
    package let globalPooling: Kernel<GlobalPoolingTask>
    package let channelConvolution: Kernel<ChannelConvolutionTask>
    package let elementwise: Kernel<ElementwiseTask>
    package let linear: Kernel<LinearTask>
    package let groupNormalization: Kernel<GroupNormalizationTask>
    package let subsample: Kernel<SubsampleTask>
    package let blur: Kernel<BlurTask>
    package let inputConversion: Kernel<InputConversionTask>
    package let outputConversion: Kernel<OutputConversionTask>
    package let batchStatistics: Kernel<BatchStatisticsTask>
    package let batchNormalization: Kernel<BatchNormalizationTask>
    package let borderZeroing: Kernel<BorderZeroingTask>
    package let gradients: GradientKernels
    package let optimizers: OptimizerKernels
    /// Whether a kernel calls OpenBLAS, so that passes must hold `BLASThreading`.
    package let usesBLAS: Bool

    /// Naive loops with sums in Double: the specification of all other kernels.
    package static var reference: KernelTable {
        KernelTable(
            convolutions: ConvolutionKernels(.reference),
            maxPooling: ReferenceMaxPooling.kernel,
            averagePooling: ReferenceAveragePooling.kernel,
            globalPooling: ReferenceGlobalPooling.kernel,
            channelConvolution: ReferenceChannelConvolution.kernel,
            elementwise: ReferenceElementwise.kernel,
            linear: ReferenceLinear.kernel,
            groupNormalization: ReferenceGroupNormalization.kernel,
            subsample: ReferenceSubsample.kernel,
            blur: ReferenceBlur.kernel,
            inputConversion: ReferenceInputConversion.kernel,
            outputConversion: ReferenceOutputConversion.kernel,
            batchStatistics: ReferenceBatchStatistics.kernel,
            batchNormalization: ReferenceBatchNormalization.kernel,
            borderZeroing: BorderZeroing.kernel,
            gradients: .reference,
            optimizers: .reference,
            usesBLAS: false
        )
    }

    /// The table for any CPU: the products by OpenBLAS, the rest in plain Swift.
    package static var portable: KernelTable {
        KernelTable(
            convolutions: ConvolutionKernels(.portable),
            maxPooling: PortableMaxPooling.kernel,
            averagePooling: PortableAveragePooling.kernel,
            globalPooling: PortableGlobalPooling.kernel,
            channelConvolution: PortableChannelConvolution.kernel,
            elementwise: PortableElementwise.kernel,
            linear: PortableLinear.kernel,
            groupNormalization: PortableGroupNormalization.kernel,
            subsample: PortableSubsample.kernel,
            blur: PortableBlur.kernel,
            inputConversion: PortableInputConversion.kernel,
            outputConversion: PortableOutputConversion.kernel,
            batchStatistics: PortableBatchStatistics.kernel,
            batchNormalization: PortableBatchNormalization.kernel,
            borderZeroing: BorderZeroing.kernel,
            gradients: .portable,
            optimizers: .portable,
            usesBLAS: true
        )
    }

    /// The table for a CPU with an instruction set, and perhaps with one of wider vectors for the convolutions that
    /// fill them. Tasks that mostly move memory gain nothing from those.
    static func vector<Instructions: VectorInstructions>(
        _: Instructions.Type, _ convolutions: ConvolutionKernels, _ gradients: GradientKernels
    ) -> KernelTable {
        KernelTable(
            convolutions: convolutions,
            maxPooling: VectorMaxPooling<Instructions>.kernel,
            averagePooling: VectorAveragePooling<Instructions>.kernel,
            globalPooling: VectorGlobalPooling<Instructions>.kernel,
            channelConvolution: PortableChannelConvolution.kernel,
            elementwise: VectorElementwise<Instructions>.kernel,
            linear: VectorLinear<Instructions>.kernel,
            groupNormalization: VectorGroupNormalization<Instructions>.kernel,
            subsample: PortableSubsample.kernel,
            blur: VectorBlur<Instructions>.kernel,
            inputConversion: VectorInputConversion<Instructions>.kernel,
            outputConversion: VectorOutputConversion<Instructions>.kernel,
            batchStatistics: VectorBatchStatistics<Instructions>.kernel,
            batchNormalization: VectorBatchNormalization<Instructions>.kernel,
            borderZeroing: BorderZeroing.kernel,
            gradients: gradients,
            optimizers: .vector(Instructions.self),
            usesBLAS: false
        )
    }
}
