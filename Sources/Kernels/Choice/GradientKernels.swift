// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The kernels of the backward pass, one field per kind of task.
package struct GradientKernels: Sendable {
    let weights: Kernel<WeightGradientTask>
    /// The kernel for shapes that Winograd's algorithm speeds up; the same as `weights` if none exists.
    let winogradWeights: Kernel<WeightGradientTask>
    package let normSums: Kernel<NormGradientSumsTask>
    package let batchNormalization: Kernel<BatchNormalizationGradientTask>
    package let spreading: Kernel<SpreadingTask>
    package let maxPooling: Kernel<MaxPoolingGradientTask>
    package let averagePooling: Kernel<AveragePoolingGradientTask>
    package let globalPooling: Kernel<GlobalPoolingGradientTask>
    package let subsample: Kernel<SubsampleGradientTask>
    package let blur: Kernel<BlurGradientTask>
    package let linear: Kernel<LinearGradientTask>
    package let channelScale: Kernel<ChannelScaleGradientTask>
    package let channelConvolution: Kernel<ChannelConvolutionGradientTask>
    package let groupNormalization: Kernel<GroupNormalizationGradientTask>
    package let function: Kernel<FunctionGradientTask>

    /// The kernel for the weights of a convolution: chosen by the shape of an image alone, so that the bits of an
    /// image's gradients do not depend on the size of the batch.
    package func weights(_ shape: ConvolutionShape, isDirect: Bool) -> Kernel<WeightGradientTask> {
        !isDirect && WinogradGradientCut.supports(shape) ? winogradWeights : weights
    }

    /// Naive loops with sums in Double: the specification of all other kernels.
    static var reference: GradientKernels {
        GradientKernels(
            weights: ReferenceWeightGradient.kernel,
            winogradWeights: ReferenceWeightGradient.kernel,
            normSums: ReferenceNormGradientSums.kernel,
            batchNormalization: ReferenceBatchNormalizationGradient.kernel,
            spreading: Spreading.kernel,
            maxPooling: ReferenceMaxPoolingGradient.kernel,
            averagePooling: ReferenceAveragePoolingGradient.kernel,
            globalPooling: ReferenceGlobalPoolingGradient.kernel,
            subsample: ReferenceSubsampleGradient.kernel,
            blur: ReferenceBlurGradient.kernel,
            linear: ReferenceLinearGradient.kernel,
            channelScale: ReferenceChannelScaleGradient.kernel,
            channelConvolution: ReferenceChannelConvolutionGradient.kernel,
            groupNormalization: ReferenceGroupNormalizationGradient.kernel,
            function: ReferenceFunctionGradient.kernel
        )
    }

    /// The kernels for any CPU: the products by OpenBLAS, the rest in plain Swift.
    static var portable: GradientKernels {
        GradientKernels(
            weights: PortableWeightGradient.kernel,
            winogradWeights: PortableWeightGradient.kernel,
            normSums: PortableNormGradientSums.kernel,
            batchNormalization: PortableBatchNormalizationGradient.kernel,
            spreading: Spreading.kernel,
            maxPooling: PortableMaxPoolingGradient.kernel,
            averagePooling: PortableAveragePoolingGradient.kernel,
            globalPooling: PortableGlobalPoolingGradient.kernel,
            subsample: PortableSubsampleGradient.kernel,
            blur: PortableBlurGradient.kernel,
            linear: PortableLinearGradient.kernel,
            channelScale: PortableChannelScaleGradient.kernel,
            channelConvolution: PortableChannelConvolutionGradient.kernel,
            groupNormalization: PortableGroupNormalizationGradient.kernel,
            function: PortableFunctionGradient.kernel
        )
    }

    /// The kernels for a CPU with an instruction set, and perhaps with one of wider vectors for the products, which
    /// give the same bits.
    static func vector<Instructions: VectorInstructions, Wide: VectorInstructions>(
        _: Instructions.Type, products: Wide.Type
    ) -> GradientKernels {
        GradientKernels(
            weights: VectorWeightGradient<Wide>.kernel,
            winogradWeights: WinogradWeightGradient<Wide>.kernel,
            normSums: VectorNormGradientSums<Instructions>.kernel,
            batchNormalization: VectorBatchNormalizationGradient<Instructions>.kernel,
            spreading: Spreading.kernel,
            maxPooling: PortableMaxPoolingGradient.kernel,
            averagePooling: PortableAveragePoolingGradient.kernel,
            globalPooling: PortableGlobalPoolingGradient.kernel,
            subsample: PortableSubsampleGradient.kernel,
            blur: PortableBlurGradient.kernel,
            linear: PortableLinearGradient.kernel,
            channelScale: PortableChannelScaleGradient.kernel,
            channelConvolution: PortableChannelConvolutionGradient.kernel,
            groupNormalization: PortableGroupNormalizationGradient.kernel,
            function: PortableFunctionGradient.kernel
        )
    }
}
