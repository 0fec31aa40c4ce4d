// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Kernels
import Networks
import Runtime

// The gradients of a convolution and of the norm after it.
extension TrainingPass {
    /// With running statistics, the weights are multiplied by the norm's scale, and the gradient of the norm is not
    /// computed separately: with `g` the masked gradient and `G` the gradient of the weights for it, the weights' is
    /// `gamma * iv * G` and that of gamma `iv * (<W, G> - mean * sum(g))`.
    mutating func convolutionGradient(_ step: TapeStep, _ state: BackwardState) {
        guard let convolution = step.step.convolution else { return }
        let trains = Trained(convolution, state, network.pointee.graph)
        if step.step.function == .relu || isApart(step) || trains.norm || trains.bias || isMeasuring {
            maskGradient(step, input: isApart(step) ? activation(step.convolved) : nil)
        }
        passToAddend(step, state)
        var gradient = step.gradient
        if isApart(step) {
            addBatchNormGradients(step, state)
            if step.convolvedGradient >= 0 {
                gradient = step.convolvedGradient
                clearBorder(gradient)
            }
            batchNormGradient(step, input: activation(step.convolved), to: activation(gradient))
        }
        // A norm with running statistics is trained through the weights.
        if trains.weights || trains.bias || trains.norm && !isApart(step) {
            weightGradient(step, convolution, gradient: gradient, state)
        }
        dataGradient(step, convolution, gradient: gradient, state)
    }

    private struct Trained {
        let weights: Bool
        let bias: Bool
        let norm: Bool

        init(_ convolution: FusedConvolution, _ state: BackwardState, _ graph: borrowing Graph) {
            weights = state.wants(.weight, ofNode: convolution.node, graph)
            bias = state.wants(.bias, ofNode: convolution.node, graph)
            norm =
                convolution.norm.map {
                    state.wants(.weight, ofNode: $0, graph) || state.wants(.bias, ofNode: $0, graph)
                } ?? false
        }
    }

    private mutating func weightGradient(
        _ step: TapeStep, _ convolution: FusedConvolution, gradient: Int, _ state: BackwardState
    ) {
        let input = activation(step.source)
        let statistics = statistics(step)
        let norm = runningNorm(step)
        if let norm, !isMeasuring {
            for channel in 0..<step.step.channels { statistics.scale[channel] = norm.scale(channel) }
        }
        part = .weightGradients
        defer { part = .rest }
        let slot = state.slot(.weight, ofNode: convolution.node, network.pointee.graph)
        let shape = ConvolutionShape(convolution.definition, height: input.height, width: input.width)
        perform(
            kernels.gradients.weights(shape, isDirect: engine.pointee.isDirect),
            WeightGradientTask(
                shape: shape, imageCount: imageCount, input: input, outputGradient: activation(gradient),
                scale: norm == nil ? nil : UnsafePointer(statistics.scale), gradient: slot?.start,
                accumulates: slot?.accumulates ?? false,
                weights: network.pointee.values(.weight, ofNode: convolution.node),
                products: norm == nil ? nil : statistics.productSum))
        if isMeasuring || cancellation.isCancelled { return }
        addBiases(step, convolution, norm, state)
    }

    /// The gradients of the parameters after a convolution's weights: of its bias, and of a norm with running statistics.
    private func addBiases(
        _ step: TapeStep, _ convolution: FusedConvolution, _ norm: StepNorm?, _ state: BackwardState
    ) {
        let (statistics, channels) = (statistics(step), step.step.channels)
        let bias = state.sum(.bias, ofNode: convolution.node, network.pointee.graph)
        // The gradient of a bias before the statistics of a batch, which cancel it, is zero.
        if let bias, norm != nil || convolution.norm == nil {
            for channel in 0..<channels {
                bias[channel] += Float((norm?.scale(channel) ?? 1) * statistics.sum[channel])
            }
        }
        guard let norm, let node = convolution.norm else { return }
        addBias(step, ofNode: node, state)
        guard let weight = state.sum(.weight, ofNode: node, network.pointee.graph) else { return }
        let own = !convolution.definition.hasBias ? nil : network.pointee.values(.bias, ofNode: convolution.node)
        for channel in 0..<channels {
            let constant = (Double(own?[channel] ?? 0) - norm.mean(channel)) * statistics.sum[channel]
            weight[channel] += Float(norm.inverse(channel) * (statistics.productSum[channel] + constant))
        }
    }

    private mutating func dataGradient(
        _ step: TapeStep, _ convolution: FusedConvolution, gradient: Int, _ state: BackwardState
    ) {
        guard let target = contribution(to: step.source, state) else { return }
        let tensors = plan.pointee.tensors[step.source]
        let definition = convolution.definition
        let shape = DataGradient(definition, source: tensors, output: plan.pointee.tensors[step.value]).shape
        let kernel = kernels.convolutions[step.gradientAlgorithm, shape]
        let start = shims_nanoseconds()
        if !isMeasuring {
            packTransposed(step, convolution, kernel, shape)
            temporary.bias.update(repeating: 0, count: shape.outputChannels)
        }
        note(.packing, since: start)
        part = .dataGradients
        defer { part = .rest }
        let window = definition.window
        let isPointwise = window.size == 1
        var input = activation(gradient)
        if window.stride > 1 && !isPointwise {
            for image in visitedImages {
                perform(
                    kernels.gradients.spreading,
                    SpreadingTask(
                        stride: window.stride, input: activation(gradient, image: image),
                        output: activation(step.spread, image: image)))
            }
            input = activation(step.spread)
        }
        let isSubsampled = window.stride > 1 && isPointwise
        let out = activation(isSubsampled ? step.spread : target.tensor)
        perform(
            BatchConvolution(
                kernel: kernel, shape: shape, weights: UnsafePointer(temporary.packedWeights),
                bias: UnsafePointer(temporary.bias), input: input,
                residual: target.accumulates && !isSubsampled ? out : nil, relu: false, output: out),
            imagesTogether: step.imagesTogether)
        if isSubsampled { addSubsampled(step, stride: window.stride, from: out, to: target) }
    }

    /// Packs the weights of a gradient, multiplied by the scale of a norm with running statistics.
    private func packTransposed(
        _ step: TapeStep, _ convolution: FusedConvolution, _ kernel: ConvolutionKernel, _ shape: ConvolutionShape
    ) {
        var scale: UnsafePointer<Double>?
        if let norm = runningNorm(step) {
            let scales = statistics(step).scale
            for channel in 0..<step.step.channels { scales[channel] = norm.scale(channel) }
            scale = UnsafePointer(scales)
        }
        let task = WeightPackingTask(
            shape: shape, weights: network.pointee.values(.weight, ofNode: convolution.node), isTransposed: true,
            scale: scale, packed: temporary.packedWeights)
        Launch.run(kernel.packing, task, engine.pointee.pool, cancellation)
    }

    /// The gradient of the pixels that a pointwise convolution reads, at their positions.
    private mutating func addSubsampled(
        _ step: TapeStep, stride: Int, from gradient: Activation, to target: (tensor: Int, accumulates: Bool)
    ) {
        for image in visitedImages {
            let input = activation(step.source, image: image)
            perform(
                kernels.gradients.subsample,
                SubsampleGradientTask(
                    subsampling: SubsampleTask(stride: stride, input: input, output: gradient.image(image)),
                    outputGradient: gradient.image(image), inputGradient: activation(target.tensor, image: image),
                    accumulates: target.accumulates))
        }
    }
}
