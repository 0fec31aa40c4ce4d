// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

// The kernel tasks of a training pass's steps, image by image. Activations are those of the forward pass.
extension TrainingPass {
    func maxPooling(_ step: TapeStep, _ image: Int) -> MaxPoolingTask {
        let window = step.step.window
        return MaxPoolingTask(
            kernelSize: window.size, stride: window.stride, padding: window.padding,
            input: activation(step.source, image: image), output: activation(step.value, image: image))
    }

    func averagePooling(_ step: TapeStep, _ image: Int) -> AveragePoolingTask {
        let window = step.step.window
        return AveragePoolingTask(
            size: window.size, stride: window.stride, padding: window.padding, trailingPadding: window.trailingPadding,
            countsPadding: step.step.countsPadding, input: activation(step.source, image: image),
            output: activation(step.value, image: image))
    }

    func subsample(_ step: TapeStep, _ image: Int) -> SubsampleTask {
        SubsampleTask(
            stride: step.step.window.stride, input: activation(step.source, image: image),
            output: activation(step.value, image: image))
    }

    func blur(_ step: TapeStep, _ image: Int) -> BlurTask {
        step.step.blur(activation(step.source, image: image), to: activation(step.value, image: image))
    }

    func linear(_ step: TapeStep, _ image: Int) -> LinearTask {
        step.step.linear(
            activation(step.source, image: image), to: activation(step.value, image: image), network.pointee)
    }

    func channelConvolution(_ step: TapeStep, _ image: Int) -> ChannelConvolutionTask {
        step.step.channelConvolution(
            activation(step.source, image: image), to: activation(step.value, image: image), network.pointee)
    }

    func elementwise(_ step: TapeStep, _ image: Int) -> ElementwiseTask {
        step.step.elementwise(
            activation(step.source, image: image), scale: optionalActivation(step.scale, image),
            residual: optionalActivation(step.addend, image), to: activation(step.value, image: image))
    }

    func groupNormalization(_ step: TapeStep, _ image: Int) -> GroupNormalizationTask? {
        step.step.groupNormalization(
            activation(step.source, image: image), residual: optionalActivation(step.addend, image),
            to: activation(step.value, image: image), network.pointee)
    }

    /// Nil for -1.
    func optionalActivation(_ tensor: Int, _ image: Int) -> Activation? {
        tensor < 0 ? nil : activation(tensor, image: image)
    }
}
