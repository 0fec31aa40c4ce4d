// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

// The kernel tasks of steps that are neither convolutions nor norms.
extension Pass {
    /// The rows of its source that some rows of a step read, and how many rows above them the windows of the first row
    /// begin.
    private func windowRows(_ step: PlanStep, _ rows: BandStep) -> (rows: Range<Int>, above: Int) {
        let (window, height) = (step.window, plan.pointee.tensors[step.source.unsafelyUnwrapped].height)
        let first = rows.rows.lowerBound * window.stride - window.padding
        let last = (rows.rows.upperBound - 1) * window.stride - window.padding
        let read = max(first, 0)..<min(last + window.extent, height)
        return (read, read.lowerBound - first)
    }

    func maxPooling(_ step: PlanStep, _ rows: BandStep, _ image: Int) -> MaxPoolingTask {
        let (window, read) = (step.window, windowRows(step, rows))
        return MaxPoolingTask(
            kernelSize: window.size, stride: window.stride, padding: window.padding, topPadding: read.above,
            input: source(step, read.rows, rows, image), output: target(step, rows, image))
    }

    func averagePooling(_ step: PlanStep, _ rows: BandStep, _ image: Int) -> AveragePoolingTask {
        let (window, read) = (step.window, windowRows(step, rows))
        let isAtEnd = read.rows.upperBound == plan.pointee.tensors[step.source.unsafelyUnwrapped].height
        return AveragePoolingTask(
            size: window.size, stride: window.stride, padding: window.padding, trailingPadding: window.trailingPadding,
            topPadding: read.above, bottomPadding: isAtEnd ? window.trailingPadding : 0,
            countsPadding: step.step.countsPadding, input: source(step, read.rows, rows, image),
            output: target(step, rows, image))
    }

    func subsample(_ step: PlanStep, _ rows: BandStep, _ image: Int) -> SubsampleTask {
        SubsampleTask(
            stride: step.window.stride, input: source(step, windowRows(step, rows).rows, rows, image),
            output: target(step, rows, image))
    }

    func blur(_ step: PlanStep, _ rows: BandStep, _ image: Int) -> BlurTask {
        step.step.blur(wholeSource(step, rows, image), to: target(step, rows, image))
    }

    func globalPooling(_ step: PlanStep, _ rows: BandStep, _ image: Int) -> GlobalPoolingTask {
        GlobalPoolingTask(input: wholeSource(step, rows, image), output: target(step, rows, image))
    }

    func linear(_ step: PlanStep, _ rows: BandStep, _ image: Int) -> LinearTask {
        step.step.linear(wholeSource(step, rows, image), to: target(step, rows, image), network.pointee)
    }

    func channelConvolution(_ step: PlanStep, _ rows: BandStep, _ image: Int) -> ChannelConvolutionTask {
        step.step.channelConvolution(wholeSource(step, rows, image), to: target(step, rows, image), network.pointee)
    }

    func elementwise(_ step: PlanStep, _ rows: BandStep, _ image: Int) -> ElementwiseTask {
        step.step.elementwise(
            source(step, rows.rows, rows, image), scale: step.scale.map { activation($0, 0..<1, firstRow: 0, image) },
            residual: residual(step, rows, image), to: target(step, rows, image))
    }

    func groupNormalization(_ step: PlanStep, _ rows: BandStep, _ image: Int) -> GroupNormalizationTask? {
        step.step.groupNormalization(
            source(step, rows.rows, rows, image), residual: residual(step, rows, image),
            to: target(step, rows, image), network.pointee)
    }

    private func wholeSource(_ step: PlanStep, _ rows: BandStep, _ image: Int) -> Activation {
        source(step, 0..<plan.pointee.tensors[step.source.unsafelyUnwrapped].height, rows, image)
    }
}
