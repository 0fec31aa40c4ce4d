// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The kernels of optimisers, one field per kind of task. All tables give the same bits.
package struct OptimizerKernels: Sendable {
    package let sgdStep: Kernel<SGDStepTask>
    package let adamWStep: Kernel<AdamWStepTask>
    package let squaredSums: Kernel<SquaredSumsTask>
    package let scaling: Kernel<ScalingTask>

    package static var reference: OptimizerKernels {
        OptimizerKernels(
            sgdStep: ReferenceSGDStep.kernel, adamWStep: ReferenceAdamWStep.kernel,
            squaredSums: ReferenceSquaredSums.kernel, scaling: Scaling.kernel)
    }

    package static var portable: OptimizerKernels {
        OptimizerKernels(
            sgdStep: PortableSGDStep.kernel, adamWStep: PortableAdamWStep.kernel,
            squaredSums: PortableSquaredSums.kernel, scaling: Scaling.kernel)
    }

    static func vector<Instructions: VectorInstructions>(_: Instructions.Type) -> OptimizerKernels {
        OptimizerKernels(
            sgdStep: VectorSGDStep<Instructions>.kernel, adamWStep: VectorAdamWStep<Instructions>.kernel,
            squaredSums: VectorSquaredSums<Instructions>.kernel, scaling: Scaling.kernel)
    }
}
