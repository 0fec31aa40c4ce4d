// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Kernels
import Networks
import Runtime

// What the steps of a plan are to the kernels.
extension Pass {
    /// Some rows of a tensor of one of the share's images, or of that and the ones behind it: each image has a block of
    /// memory of its own for all its tensors, so that groups of images may be at different steps.
    ///
    /// - Parameter firstRow: of those that are kept.
    private func activation(_ index: Int, _ rows: Range<Int>, firstRow: Int, _ image: Int) -> Activation {
        let tensor = plan.pointee.tensors[index]
        // Without memory yet, tasks have the right sizes at addresses that nobody looks at.
        let block =
            switch memory {
            case .some(let memory): memory.activations + (plan.pointee.activationCount * image + tensor.offset)
            case .none: UnsafeMutablePointer<Float>(bitPattern: Heap.alignment).unsafelyUnwrapped
            }
        let pixel = (rows.lowerBound - firstRow) * (tensor.width + 2 * tensor.border) + tensor.border
        return Activation(
            origin: block + pixel * tensor.channels, height: rows.count, width: tensor.width,
            channels: tensor.channels, border: tensor.border, imageStride: plan.pointee.activationCount)
    }

    /// The rows of what a step writes.
    private func target(_ tensor: Int, _ rows: BandStep, _ image: Int) -> Activation {
        activation(tensor, rows.rows, firstRow: rows.targetFirstRow, image)
    }

    private func source(_ tensor: Int, _ sourceRows: Range<Int>, _ rows: BandStep, _ image: Int) -> Activation {
        activation(tensor, sourceRows, firstRow: rows.sourceFirstRow, image)
    }

    /// Makes room for the rows that a step writes and sets the border around them to zero: memory is shared by tensors that
    /// follow each other, so that is done anew in each pass.
    mutating func prepare(_ index: Int, _ rows: BandStep, _ image: Int) {
        let tensor = plan.pointee.tensors[index]
        if tensor.border > 0 && rows.rows.lowerBound == 0 {
            let kept = tensor.firstRow + tensor.border..<tensor.firstRow + tensor.keptRows - tensor.border
            let whole = activation(index, kept, firstRow: tensor.firstRow, image)
            perform(.borderZeroing(BorderZeroingTask(activation: whole)))
        }
        guard rows.rows != 0..<tensor.height, memory != nil else { return }
        let target = target(index, rows, image)
        if rows.targetFirstRow > rows.previousFirstRow && rows.rows.lowerBound > rows.targetFirstRow {
            let count = (rows.rows.lowerBound - rows.targetFirstRow) * target.rowStride
            let kept = target.pixel(row: rows.targetFirstRow - rows.rows.lowerBound, column: -tensor.border)
            memmove(
                kept, kept + (rows.targetFirstRow - rows.previousFirstRow) * target.rowStride,
                count * MemoryLayout<Float>.stride)
        }
        if rows.rows.upperBound == tensor.height {
            target.pixel(row: target.height, column: -tensor.border)
                .update(repeating: 0, count: tensor.border * target.rowStride)
        }
    }

    func inputConversion(_ to: Int, _ rows: BandStep, _ image: Int) -> InputConversionTask {
        let view = arguments.input
        let start = view.address(image: firstImage + image)
        let applies = engine.pointee.normalization.applies(to: view.element)
        // Floats that nothing changes are copied, which is faster.
        let changes = applies && (view.element == .uint8 || engine.pointee.normalization.changesValues)
        return InputConversionTask(
            source: start + rows.rows.lowerBound * view.strides.h * view.elementSize, element: view.element,
            channelStride: view.strides.c, rowStride: view.strides.h, columnStride: view.strides.w,
            mean: changes ? engine.pointee.normalization.means : nil,
            standardDeviation: changes ? engine.pointee.normalization.standardDeviations : nil,
            reversesChannels: applies && engine.pointee.normalization.reversesChannels,
            output: target(to, rows, image))
    }

    func outputConversion(_ stage: Int, _ from: Int, _ rows: BandStep, _ image: Int) -> OutputConversionTask {
        let view = arguments.outputs[network.pointee.configuration.outStages.index(of: stage)]
        let start = view.address(image: firstImage + image).assumingMemoryBound(to: Float.self)
        return OutputConversionTask(
            input: source(from, rows.rows, rows, image), destination: start + rows.rows.lowerBound * view.strides.h,
            channelStride: view.strides.c, rowStride: view.strides.h, columnStride: view.strides.w)
    }

    func maxPooling(_ from: Int, _ to: Int, _ rows: BandStep, _ image: Int) -> MaxPoolingTask {
        let (size, stride, padding) = (StemPooling.kernelSize, StemPooling.stride, StemPooling.padding)
        let firstWindow = rows.rows.lowerBound * stride - padding
        let lastWindow = (rows.rows.upperBound - 1) * stride - padding
        let read = max(firstWindow, 0)..<min(lastWindow + size, plan.pointee.tensors[from].height)
        return MaxPoolingTask(
            kernelSize: size, stride: stride, padding: padding, topPadding: read.lowerBound - firstWindow,
            input: source(from, read, rows, image), output: target(to, rows, image))
    }

    /// - Parameter isAlone: Whether residual sum and ReLU are left to a BatchNorm behind it.
    func task(_ step: ConvolutionStep, _ rows: BandStep, _ images: Range<Int>, isAlone: Bool) -> ConvolutionTask {
        let unit = network.pointee.units[step.unit]
        let from = plan.pointee.tensors[step.from]
        let first = rows.rows.lowerBound * unit.stride
        // What lies below the rows of a band is to it what the border is to the last one.
        let end =
            rows.rows.upperBound == plan.pointee.tensors[step.to].height
            ? from.height : (rows.rows.upperBound - 1) * unit.stride + unit.kernelSize - 2 * unit.padding
        let weights = engine.pointee.packedAddresses(step)
        return ConvolutionTask(
            shape: ConvolutionShape(unit, height: end - first, width: from.width), imageCount: images.count,
            input: source(step.from, first..<end, rows, images.lowerBound), packedWeights: weights.weights,
            bias: weights.bias, residual: isAlone ? nil : residual(step, rows, images.lowerBound),
            relu: step.relu && !isAlone, output: target(step.to, rows, images.lowerBound))
    }

    /// Of what is added, all rows are kept.
    private func residual(_ step: ConvolutionStep, _ rows: BandStep, _ image: Int) -> Activation? {
        step.residual.map { activation($0, rows.rows, firstRow: plan.pointee.tensors[$0].firstRow, image) }
    }

    /// BatchNorm of a convolution's output in place with the statistics of the batch, which the network takes into its
    /// running ones.
    mutating func normalize(_ step: ConvolutionStep, _ rows: BandStep, _ images: Range<Int>) {
        let first = target(step.to, rows, images.lowerBound)
        let mean =
            switch memory {
            case .some(let memory): memory.statistics
            case .none: UnsafeMutablePointer<Double>(bitPattern: Heap.alignment).unsafelyUnwrapped
            }
        let variance = mean + first.channels
        perform(
            .batchStatistics(
                BatchStatisticsTask(input: first, imageCount: images.count, mean: mean, variance: variance)))
        if memory != nil {
            network.pointee.updateRunningStatistics(
                unit: step.unit, mean: mean, variance: variance, count: images.count * first.height * first.width)
        }
        let parameters = network.pointee.units[step.unit]
        for image in visited(images) {
            let output = target(step.to, rows, image)
            perform(
                .batchNormalization(
                    BatchNormalizationTask(
                        input: output, mean: mean, variance: variance,
                        epsilon: network.pointee.configuration.normEpsilon,
                        weight: network.pointee.floats + parameters.normWeightOffset,
                        bias: network.pointee.floats + parameters.normBiasOffset,
                        residual: residual(step, rows, image), relu: step.relu, output: output)))
        }
    }
}
