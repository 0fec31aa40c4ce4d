// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Kernels
import Networks
import Runtime

// The forward pass of training: all images of a batch go through each step together, and data for the backward pass is
// kept.
extension TrainingPass {
    /// Once cancelled it ends soon, with undefined outputs.
    mutating func forward(_ arguments: ForwardArguments) {
        for index in 0..<plan.pointee.steps.count {
            if cancellation.isCancelled { return }
            forward(plan.pointee.steps[index], arguments)
        }
    }

    private mutating func forward(_ step: TapeStep, _ arguments: ForwardArguments) {
        if step.value >= 0 { clearBorder(step.value) }
        switch step.step.kind {
        case .input:
            // Another program has already written its results.
            if step.step.node == 0 { for image in visitedImages { convert(step, arguments, image) } }
        case .output:
            for image in visitedImages {
                perform(
                    kernels.outputConversion,
                    arguments.outputs[step.step.output].conversion(
                        from: activation(step.source, image: image), image: image))
            }
        default: compute(step, isAgain: false)
        }
    }

    /// Computes the steps of a segment again whose results were not kept.
    mutating func computeAgain(_ segment: Range<Int>) {
        for index in segment {
            if cancellation.isCancelled { return }
            let step = plan.pointee.steps[index]
            if step.computesValueAgain {
                clearBorder(step.value)
                compute(step, isAgain: true)
            } else if step.convolvesAgain {
                convolve(step, isAgain: true, isAlone: true)
            }
        }
    }

    /// Restores inputs of a step's gradient that were not kept.
    mutating func restoreValues(_ step: TapeStep, _ state: BackwardState) {
        let values = step.valuesReadBackward
        for position in values.indices where values[position] >= 0 && !state.has(values[position]) {
            let restorer = plan.pointee.restorers[values[position]]
            if restorer < 0 { continue }
            let norm = plan.pointee.steps[restorer]
            clearBorder(norm.value)
            normalize(norm, activation(isApart(norm) ? norm.convolved : norm.source), isAgain: true)
            state.set(norm.value)
        }
    }

    /// - Parameter isAgain: Whether the statistics of the step's norm are known.
    private mutating func compute(_ step: TapeStep, isAgain: Bool) {
        switch step.step.kind {
        case .convolution: convolve(step, isAgain: isAgain, isAlone: false)
        case .normalization: normalize(step, activation(step.source), isAgain: isAgain)
        default: for image in visitedImages { compute(step, image: image) }
        }
    }

    private mutating func convert(_ step: TapeStep, _ arguments: ForwardArguments, _ image: Int) {
        perform(
            kernels.inputConversion,
            engine.pointee.normalization.conversion(
                of: arguments.input, image: image, to: activation(step.value, image: image)))
    }

    private mutating func compute(_ step: TapeStep, image: Int) {
        switch step.step.kind {
        case .maxPooling: perform(kernels.maxPooling, maxPooling(step, image))
        case .averagePooling: perform(kernels.averagePooling, averagePooling(step, image))
        case .globalPooling:
            perform(
                kernels.globalPooling,
                GlobalPoolingTask(
                    input: activation(step.source, image: image), output: activation(step.value, image: image)))
        case .elementwise: perform(kernels.elementwise, elementwise(step, image))
        case .groupNormalization:
            if let task = groupNormalization(step, image) { perform(kernels.groupNormalization, task) }
        case .subsample: perform(kernels.subsample, subsample(step, image))
        case .blur: perform(kernels.blur, blur(step, image))
        case .linear: perform(kernels.linear, linear(step, image))
        case .channelConvolution: perform(kernels.channelConvolution, channelConvolution(step, image))
        case .input, .output, .convolution, .normalization: return
        }
    }

    /// - Parameter isAlone: Whether the norm after it is left out.
    private mutating func convolve(_ step: TapeStep, isAgain: Bool, isAlone: Bool) {
        guard let convolution = step.step.convolution else { return }
        let (input, output) = (activation(step.source), activation(isApart(step) ? step.convolved : step.value))
        let shape = ConvolutionShape(convolution.definition, height: input.height, width: input.width)
        let kernel = kernels.convolutions[step.algorithm, shape]
        // Kept on the tape, so that a recomputed step gives the same result in another mode of the network.
        if !isApart(step) && step.step.norm != nil && !isAgain { noteRunningStatistics(step) }
        pack(step, convolution, kernel, shape)
        part = .forward
        perform(
            BatchConvolution(
                kernel: kernel, shape: shape, weights: UnsafePointer(temporary.packedWeights),
                bias: UnsafePointer(temporary.bias), input: input,
                residual: isApart(step) || step.addend < 0 ? nil : activation(step.addend),
                relu: step.step.function == .relu && !isApart(step), output: output),
            imagesTogether: step.imagesTogether)
        part = .rest
        if isApart(step) && !isAlone { normalize(step, output, isAgain: isAgain) }
    }

    /// Packs the weights of a convolution, folded with a norm that uses running statistics. They change with every step
    /// of an optimiser, so copies are not kept: the next convolution uses the same memory.
    private func pack(
        _ step: TapeStep, _ convolution: FusedConvolution, _ kernel: ConvolutionKernel, _ shape: ConvolutionShape
    ) {
        if isMeasuring { return }
        let start = shims_nanoseconds()
        let statistics = statistics(step)
        let kept = Folding.KeptStatistics(
            mean: UnsafePointer(statistics.mean), variance: UnsafePointer(statistics.variance))
        let folding = Folding(convolution, network.pointee, kept: step.usesBatchStatistics ? nil : kept)
        let task = WeightPackingTask(
            shape: shape, weights: folding.weights,
            scale: folding.compute(scales: statistics.scale, bias: temporary.bias), packed: temporary.packedWeights)
        Launch.run(kernel.packing, task, engine.pointee.pool, cancellation)
        note(.packing, since: start)
    }

    /// Normalises with the statistics of the batch or with running ones, which are kept.
    private mutating func normalize(_ step: TapeStep, _ input: Activation, isAgain: Bool) {
        guard let norm = step.step.norm, case .batchNorm(let definition) = network.pointee.graph.nodes[norm].operation
        else { return }
        let statistics = statistics(step)
        if step.usesBatchStatistics && !isAgain {
            perform(
                kernels.batchStatistics,
                BatchStatisticsTask(
                    input: input, imageCount: imageCount, mean: statistics.mean, variance: statistics.variance,
                    cancellation: cancellation))
        } else if !isAgain {
            noteRunningStatistics(step)
        }
        for image in visitedImages {
            perform(
                kernels.batchNormalization,
                BatchNormalizationTask(
                    input: input.image(image), mean: statistics.mean, variance: statistics.variance,
                    epsilon: definition.epsilon, weight: network.pointee.values(.weight, ofNode: norm),
                    bias: network.pointee.values(.bias, ofNode: norm),
                    residual: optionalActivation(step.addend, image),
                    relu: step.step.function == .relu, output: activation(step.value, image: image)))
        }
    }

    private func noteRunningStatistics(_ step: TapeStep) {
        guard let norm = step.step.norm, !isMeasuring else { return }
        let statistics = statistics(step)
        let (mean, variance) = (
            network.pointee.values(.runningMean, ofNode: norm), network.pointee.values(.runningVar, ofNode: norm)
        )
        for channel in 0..<step.step.channels {
            statistics.mean[channel] = Double(mean[channel])
            statistics.variance[channel] = Double(variance[channel])
        }
    }

    /// Updates the network's running statistics from those of the batch: at the end, so that a cancelled pass leaves
    /// them unchanged.
    func keepStatistics() {
        for index in 0..<plan.pointee.steps.count {
            let step = plan.pointee.steps[index]
            guard let norm = step.step.norm, step.usesBatchStatistics else { continue }
            let tensor = plan.pointee.tensors[step.value]
            let statistics = statistics(step)
            network.pointee.updateRunningStatistics(
                node: norm, mean: statistics.mean, variance: statistics.variance,
                count: imageCount * tensor.height * tensor.width)
        }
    }
}
