// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// What a step of a plan is, and what it took.
package struct StepProfile: BitwiseCopyable {
    package enum Kind: BitwiseCopyable {
        case input
        /// A unit of the network.
        case convolution(unit: Int)
        case maxPooling
        /// The features of a stage, 1 to 4.
        case output(stage: Int)
    }

    package let kind: Kind
    /// The kernel's name.
    package let kernel: StaticString
    package let inputShape: Dimensions
    package let outputShape: Dimensions
    /// Operations of the definition, two for each product; 0 where nothing is multiplied.
    package let operations: Int
    /// Bytes of activations and weights that are read and written, each once.
    package let bytes: Int
    package var nanoseconds = 0
}

extension Session {
    /// Describes the steps of a forward, computes it if `isTimed`, and passes each step to `body`.
    ///
    /// - Returns: How many steps there are.
    /// - Throws: As `forward`; `invalidArgument` if there are more than `capacity`, where that is given.
    package func profile(
        _ arguments: ForwardArguments, capacity: Int?,
        _ body: (borrowing Network, Int, StepProfile) -> Void
    ) throws(BackboneError) -> Int {
        try check(arguments)
        let plan = try lockForForward(of: arguments.input.shape)
        defer { unlock(plan) }
        let count = plan.pointee.steps.count
        guard let capacity else { return count }
        guard capacity >= count else {
            throw BackboneError(.invalidArgument, "capacity is \(capacity), the plan has \(count) layers")
        }
        var times = try UniqueArray(repeating: 0, count: count)
        if arguments.input.shape.n > 0 { try run(plan, on: arguments, times: times.mutableElements.baseAddress) }
        for step in 0..<count {
            var profile = plan.pointee.profile(step, network.pointee, kernels, images: arguments.input.shape.n)
            profile.nanoseconds = times[step]
            body(network.pointee, step, profile)
        }
        return count
    }
}

extension Plan {
    fileprivate func profile(
        _ step: Int, _ network: borrowing Network, _ kernels: KernelTable, images: Int
    ) -> StepProfile {
        switch steps[step] {
        case .input(let to):
            return StepProfile(
                kind: .input, kernel: kernels.inputConversion.name, inputShape: shape(to, images),
                outputShape: shape(to, images), operations: 0, bytes: 2 * bytes(to, images))
        case .convolution(let convolution):
            let unit = network.units[convolution.unit]
            let kernel = kernels.convolutions[convolution.algorithm]
            let geometry = ConvolutionShape(
                unit, height: tensors[convolution.from].height, width: tensors[convolution.from].width)
            let products = geometry.outputHeight * geometry.outputWidth * geometry.weightCount
            let residual = convolution.residual.map { bytes($0, images) } ?? 0
            return StepProfile(
                kind: .convolution(unit: convolution.unit), kernel: kernel.name,
                inputShape: shape(convolution.from, images), outputShape: shape(convolution.to, images),
                operations: 2 * products * images,
                bytes: bytes(convolution.from, images) + bytes(convolution.to, images) + residual
                    + kernel.packedCount(geometry) * MemoryLayout<Float>.stride)
        case .maxPooling(let from, let to):
            return StepProfile(
                kind: .maxPooling, kernel: kernels.maxPooling.name, inputShape: shape(from, images),
                outputShape: shape(to, images), operations: 0, bytes: bytes(from, images) + bytes(to, images))
        case .output(let stage, let from):
            return StepProfile(
                kind: .output(stage: stage), kernel: kernels.outputConversion.name, inputShape: shape(from, images),
                outputShape: shape(from, images), operations: 0, bytes: 2 * bytes(from, images))
        }
    }

    private func shape(_ tensor: Int, _ images: Int) -> Dimensions {
        Dimensions(images, tensors[tensor].channels, tensors[tensor].height, tensors[tensor].width)
    }

    private func bytes(_ tensor: Int, _ images: Int) -> Int {
        images * tensors[tensor].floatCount * MemoryLayout<Float>.stride
    }
}
