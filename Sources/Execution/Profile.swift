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
    /// Computes a forward and passes each of its steps to `body`.
    ///
    /// - Parameter capacity: The most steps that `body` can take; nil to be told their number and nothing else.
    /// - Returns: How many steps there are.
    /// - Throws: As `forward`; `invalidArgument` if there are more than `capacity`.
    package func profile(
        _ arguments: ForwardArguments, capacity: Int?,
        _ body: (borrowing Network, Int, StepProfile) -> Void
    ) throws(BackboneError) -> Int {
        try check(arguments)
        let images = arguments.input.shape.n
        // Weights are packed for those alone who compute.
        let computes = capacity != nil && images > 0
        let plan =
            computes ? try lockForForward(of: arguments.input.shape) : try lockForReading(of: arguments.input.shape)
        defer { unlock(plan) }
        let count = plan.pointee.steps.count
        guard let capacity else { return count }
        guard capacity >= count else {
            throw BackboneError(.invalidArgument, "capacity is \(capacity), the plan has \(count) layers")
        }
        var times = try UniqueArray(repeating: 0, count: count)
        if computes {
            try run(plan, on: arguments, times: times.mutableElements.baseAddress)
            observe(arguments)
        }
        for step in 0..<count {
            var profile = plan.pointee.profile(step, network.pointee, kernels, images: images)
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
                outputShape: shape(to, images), operations: 0, bytes: bytes([to, to, -1], images))
        case .convolution(let convolution):
            let unit = network.units[convolution.unit]
            let geometry = ConvolutionShape(
                unit, height: tensors[convolution.from].height, width: tensors[convolution.from].width)
            let kernel = kernels.convolutions[convolution.algorithm, geometry]
            // The images first: of none there are no operations, however many one would take.
            let pixels = checkedProduct(checkedProduct(images, geometry.outputHeight), geometry.outputWidth)
            return StepProfile(
                kind: .convolution(unit: convolution.unit), kernel: kernel.name,
                inputShape: shape(convolution.from, images), outputShape: shape(convolution.to, images),
                operations: checkedProduct(checkedProduct(pixels, geometry.weightCount), 2) ?? .max,
                bytes: bytes(
                    [convolution.from, convolution.to, convolution.residual ?? -1], images,
                    weights: kernel.packedCount(geometry)))
        case .maxPooling(let from, let to):
            return StepProfile(
                kind: .maxPooling, kernel: kernels.maxPooling.name, inputShape: shape(from, images),
                outputShape: shape(to, images), operations: 0, bytes: bytes([from, to, -1], images))
        case .output(let stage, let from):
            return StepProfile(
                kind: .output(stage: stage), kernel: kernels.outputConversion.name, inputShape: shape(from, images),
                outputShape: shape(from, images), operations: 0, bytes: bytes([from, from, -1], images))
        }
    }

    private func shape(_ tensor: Int, _ images: Int) -> Dimensions {
        Dimensions(images, tensors[tensor].channels, tensors[tensor].height, tensors[tensor].width)
    }

    /// Of some tensors, and of weights; a number below 0 is no tensor. What has no place in an Int is the largest Int.
    private func bytes(_ indices: InlineArray<3, Int>, _ images: Int, weights: Int = 0) -> Int {
        var floats: Int? = weights
        for index in 0..<3 where indices[index] >= 0 {
            floats = checkedSum(floats, checkedProduct(images, tensors[indices[index]].wholeFloatCount))
        }
        return checkedProduct(floats, MemoryLayout<Float>.stride) ?? .max
    }
}
