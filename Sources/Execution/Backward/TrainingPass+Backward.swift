// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

// The backward pass: each step turns the gradient of its result into gradients of its inputs and of its parameters.
extension TrainingPass {
    /// Once cancelled it ends soon, with undefined gradients.
    mutating func backward(_ state: inout BackwardState) {
        for index in stride(from: plan.pointee.steps.count - 1, through: 0, by: -1) {
            if cancellation.isCancelled { return }
            let segment = plan.pointee.segment(of: index)
            if index == segment.upperBound - 1 { computeAgain(segment) }
            let step = plan.pointee.steps[index]
            guard step.gradient >= 0, step.value >= 0 else { continue }
            seed(step.value, state)
            writeFeatureGradient(step.value, &state)
            if state.isDone { return }
            guard state.has(step.gradient) else { continue }
            restoreValues(step, state)
            backward(step, state)
        }
        state.clearRest(network.pointee.graph)
        if let view = state.arguments?.inputGradient { writeInputGradient(view, state) }
    }

    private mutating func backward(_ step: TapeStep, _ state: BackwardState) {
        switch step.step.kind {
        case .input, .output: return
        case .convolution: convolutionGradient(step, state)
        case .normalization: normalizationGradient(step, state)
        case .groupNormalization: groupNormalizationGradient(step, state)
        case .elementwise: elementwiseGradient(step, state)
        case .linear: linearGradient(step, state)
        case .maxPooling, .averagePooling, .globalPooling, .subsample, .blur, .channelConvolution:
            guard let target = contribution(to: step.source, state) else { return }
            for image in visitedImages {
                localGradient(
                    step, image, output: activation(step.gradient, image: image),
                    input: activation(target.tensor, image: image), accumulates: target.accumulates, state)
            }
        }
    }

    // MARK: - Destinations of gradients

    /// Begins the gradient of an output with the caller's.
    private mutating func seed(_ value: Int, _ state: BackwardState) {
        let (output, gradient) = (plan.pointee.outputs[value], plan.pointee.gradients[value])
        guard gradient >= 0, output >= 0, !state.has(gradient), let view = state.outputGradient(output) else { return }
        clearBorder(gradient)
        for image in visitedImages {
            perform(kernels.inputConversion, view.conversion(image: image, to: activation(gradient, image: image)))
        }
        state.set(gradient)
    }

    /// The tensor with the gradient of another, and whether it already has a value; nil if the gradient is not needed.
    /// The caller writes to it.
    mutating func contribution(to value: Int, _ state: BackwardState) -> (tensor: Int, accumulates: Bool)? {
        guard value >= 0, plan.pointee.gradients[value] >= 0 else { return nil }
        let gradient = plan.pointee.gradients[value]
        seed(value, state)
        let accumulates = state.has(gradient)
        if !accumulates || isMeasuring { clearBorder(gradient) }
        state.set(gradient)
        return (gradient, accumulates)
    }

    /// Passes the gradient of a step on to a term of its sum.
    mutating func pass(_ gradient: Int, to value: Int, _ state: BackwardState) {
        if let target = contribution(to: value, state) { add(gradient, to: target) }
    }

    /// Adds a gradient to a tensor, or copies it there.
    mutating func add(_ gradient: Int, to target: (tensor: Int, accumulates: Bool)) {
        for image in visitedImages {
            let out = activation(target.tensor, image: image)
            perform(
                kernels.elementwise,
                ElementwiseTask(
                    input: activation(gradient, image: image), scale: nil, residual: target.accumulates ? out : nil,
                    function: .none, output: out))
        }
    }

    /// Passes it on to the step's residual, unless that has it already.
    mutating func passToAddend(_ step: TapeStep, _ state: BackwardState) {
        if step.addend >= 0 && !step.sharesGradient { pass(step.gradient, to: step.addend, state) }
    }

    private mutating func writeInputGradient(_ view: TensorView, _ state: BackwardState) {
        let value = plan.pointee.steps[0].value
        guard let target = contribution(to: value, state) else { return }
        write(target.tensor, isSet: target.accumulates, to: view)
    }

    /// Writes the complete gradient with respect to an output.
    private mutating func writeFeatureGradient(_ value: Int, _ state: inout BackwardState) {
        let (output, gradient) = (plan.pointee.outputs[value], plan.pointee.gradients[value])
        guard output >= 0, let view = state.featureGradient(output) else { return }
        write(gradient, isSet: state.has(gradient), to: view)
        state.featuresLeft -= 1
    }

    /// Writes a gradient to the caller's tensor: zeros if no output with a gradient depends on it.
    private mutating func write(_ tensor: Int, isSet: Bool, to view: TensorView) {
        for image in visitedImages {
            let gradient = activation(tensor, image: image)
            if !isSet {
                for row in 0..<gradient.height {
                    gradient.pixel(row: row, column: 0).update(repeating: 0, count: gradient.width * gradient.channels)
                }
            }
            perform(kernels.outputConversion, view.conversion(from: gradient, image: image))
        }
    }

    // MARK: - Steps without parameters, and those of one pixel

    private mutating func localGradient(
        _ step: TapeStep, _ image: Int, output: Activation, input: Activation, accumulates: Bool,
        _ state: BackwardState
    ) {
        let gradients = kernels.gradients
        switch step.step.kind {
        case .maxPooling:
            perform(
                gradients.maxPooling,
                MaxPoolingGradientTask(
                    pooling: maxPooling(step, image), outputGradient: output, inputGradient: input,
                    accumulates: accumulates))
        case .averagePooling:
            perform(
                gradients.averagePooling,
                AveragePoolingGradientTask(
                    pooling: averagePooling(step, image), outputGradient: output, inputGradient: input,
                    accumulates: accumulates))
        case .globalPooling:
            perform(
                gradients.globalPooling,
                GlobalPoolingGradientTask(outputGradient: output, inputGradient: input, accumulates: accumulates))
        case .subsample:
            perform(
                gradients.subsample,
                SubsampleGradientTask(
                    subsampling: subsample(step, image), outputGradient: output, inputGradient: input,
                    accumulates: accumulates))
        case .blur:
            perform(
                gradients.blur,
                BlurGradientTask(
                    blur: blur(step, image), outputGradient: output, inputGradient: input, accumulates: accumulates))
        case .channelConvolution:
            perform(
                gradients.channelConvolution,
                ChannelConvolutionGradientTask(
                    convolution: channelConvolution(step, image), outputGradient: output, inputGradient: input,
                    accumulates: accumulates,
                    weightGradient: image == 0
                        ? state.sum(.weight, ofNode: step.step.node, network.pointee.graph)
                        : state.slot(.weight, ofNode: step.step.node, network.pointee.graph)?.start))
        default: return
        }
    }

    private mutating func elementwiseGradient(_ step: TapeStep, _ state: BackwardState) {
        if let function = step.step.function {
            // SiLU is a step of its own, so that its input is its source.
            let value = function == .silu ? step.source : step.value
            for image in visitedImages {
                let gradient = activation(step.gradient, image: image)
                perform(
                    kernels.gradients.function,
                    FunctionGradientTask(
                        function: ElementwiseFunction(function), value: activation(value, image: image),
                        outputGradient: gradient, inputGradient: gradient, accumulates: false))
            }
        }
        passToAddend(step, state)
        guard step.scale >= 0 else { return pass(step.gradient, to: step.source, state) }
        guard let target = contribution(to: step.source, state), let scales = contribution(to: step.scale, state) else {
            return
        }
        assert(isMeasuring || !scales.accumulates, "a scale is read twice")
        for image in visitedImages {
            perform(
                kernels.gradients.channelScale,
                ChannelScaleGradientTask(
                    input: activation(step.source, image: image),
                    scale: UnsafePointer(activation(step.scale, image: image).origin),
                    outputGradient: activation(step.gradient, image: image),
                    inputGradient: activation(target.tensor, image: image), accumulates: target.accumulates,
                    scaleGradient: activation(scales.tensor, image: image).origin))
        }
    }

    private mutating func linearGradient(_ step: TapeStep, _ state: BackwardState) {
        let target = contribution(to: step.source, state)
        let (input, gradient) = (activation(step.source), activation(step.gradient))
        let out = target.map { activation($0.tensor) }
        let node = step.step.node
        perform(
            kernels.gradients.linear,
            LinearGradientTask(
                linear: linear(step, 0), imageCount: imageCount, inputStride: input.imageStride,
                outputGradient: gradient.origin, outputGradientStride: gradient.imageStride,
                inputGradient: out?.origin, inputGradientStride: out?.imageStride ?? 0,
                accumulates: target?.accumulates ?? false,
                weightGradient: state.sum(.weight, ofNode: node, network.pointee.graph),
                biasGradient: state.sum(.bias, ofNode: node, network.pointee.graph)))
    }
}
