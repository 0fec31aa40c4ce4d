// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// A step of a plan, and its time.
package struct StepProfile: BitwiseCopyable {
    package enum Kind: BitwiseCopyable {
        case input
        /// A node, the first of those that are fused.
        case node(Int)
        /// An output of the graph.
        case output(Int)
    }

    package let kind: Kind
    /// The kernel's name.
    package let kernel: StaticString
    package let inputShape: Dimensions
    package let outputShape: Dimensions
    /// Operations by the definition, two for each product with a weight; 0 for steps without weights.
    package let operations: Int
    /// Bytes of activations and weights read and written, each counted once.
    package let bytes: Int
    package var nanoseconds = 0
}

extension Session {
    /// Computes a forward pass and passes each of its steps to `body`.
    ///
    /// - Parameter capacity: The largest number of steps for `body`; nil to return only their number.
    /// - Returns: The number of steps.
    /// - Throws: As `forward`; `invalidArgument` for more than `capacity`.
    package func profile(
        _ arguments: ForwardArguments, capacity: Int?, _ cancellation: Cancellation,
        _ body: (borrowing Network, Int, StepProfile) -> Void
    ) throws(BackboneError) -> Int {
        try check(arguments)
        let images = arguments.input.shape.n
        // Weights are packed only for callers that compute.
        let computes = capacity != nil && images > 0
        let plan =
            computes
            ? try lockForForward(of: arguments.input.shape, cancellation)
            : try lockForReading(of: arguments.input.shape)
        defer { unlock(plan) }
        let count = plan.pointee.steps.count
        guard let capacity else { return count }
        guard capacity >= count else {
            throw BackboneError(
                .invalidArgument, "capacity is \(capacity), expected at least \(count), the number of layers")
        }
        var times = try UniqueArray(repeating: 0, count: count)
        if computes {
            try run(plan, on: arguments, times: times.mutableElements.baseAddress, cancellation)
            observe(arguments)
        }
        for step in 0..<count {
            var profile = plan.pointee.profile(step, kernels, network.pointee.graph, images: images)
            profile.nanoseconds = times[step]
            body(network.pointee, step, profile)
        }
        return count
    }
}

extension Plan {
    fileprivate func profile(
        _ index: Int, _ kernels: KernelTable, _ graph: borrowing Graph, images: Int
    ) -> StepProfile {
        let step = steps[index]
        // The converted image has the size of the caller's image, and an output that of its tensor.
        let from = step.source ?? step.target ?? 0
        let to = step.target ?? from
        var (operations, weights) = (0, 0)
        let kind: StepProfile.Kind =
            switch step.kind {
            case .input: .input
            case .output: .output(step.step.output)
            default: .node(step.step.node)
            }
        var kernel = kernels.name(of: step.kind)
        if let convolution = step.convolution {
            let definition = convolution.convolution.definition
            let shape = ConvolutionShape(definition, height: tensors[from].height, width: tensors[from].width)
            let convolutionKernel = kernels.convolutions[convolution.algorithm, shape]
            kernel = convolutionKernel.name
            // The images first: without images the product is 0, however many operations one would need.
            let pixels = checkedProduct(checkedProduct(images, shape.outputHeight), shape.outputWidth)
            operations = checkedProduct(checkedProduct(pixels, shape.weightCount), 2) ?? .max
            weights = convolutionKernel.packedCount(shape)
        } else if step.kind == .linear || step.kind == .channelConvolution {
            weights = graph.entry(.weight, ofNode: step.step.node)?.elementCount ?? 0
            // Each weight of the filter along channels is used for all channels.
            let uses: Int? = step.kind == .linear ? images : checkedProduct(images, tensors[to].channels)
            operations = checkedProduct(checkedProduct(uses, weights), 2) ?? .max
        }
        return StepProfile(
            kind: kind, kernel: kernel, inputShape: shape(from, images), outputShape: shape(to, images),
            operations: operations, bytes: bytes([from, to, step.residual ?? -1], images, weights: weights))
    }

    private func shape(_ tensor: Int, _ images: Int) -> Dimensions {
        Dimensions(images, tensors[tensor].channels, tensors[tensor].height, tensors[tensor].width)
    }

    /// Bytes of some tensors, and of weights; a number below 0 is not a tensor. A size that overflows Int is the
    /// largest Int.
    private func bytes(_ indices: InlineArray<3, Int>, _ images: Int, weights: Int = 0) -> Int {
        var floats: Int? = weights
        for index in 0..<3 where indices[index] >= 0 {
            floats = checkedSum(floats, checkedProduct(images, tensors[indices[index]].wholeFloatCount))
        }
        return checkedProduct(floats, MemoryLayout<Float>.stride) ?? .max
    }
}

extension KernelTable {
    /// The name of the kernel of a step that is not a convolution; those have several kernels.
    fileprivate func name(of kind: StepKind) -> StaticString {
        switch kind {
        case .input: inputConversion.name
        case .convolution: ""
        case .normalization: batchNormalization.name
        case .groupNormalization: groupNormalization.name
        case .elementwise: elementwise.name
        case .maxPooling: maxPooling.name
        case .averagePooling: averagePooling.name
        case .globalPooling: globalPooling.name
        case .subsample: subsample.name
        case .blur: blur.name
        case .linear: linear.name
        case .channelConvolution: channelConvolution.name
        case .output: outputConversion.name
        }
    }
}
