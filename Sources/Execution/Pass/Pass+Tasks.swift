// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Kernels
import Networks
import Runtime

// The kernel tasks of a plan's steps.
extension Pass {
    /// Some rows of a tensor of one of the share's images, or of that and the following ones: each image has a block of
    /// memory of its own for all its tensors, so that groups of images may be at different steps.
    ///
    /// - Parameter firstRow: of those that are kept.
    func activation(_ index: Int, _ rows: Range<Int>, firstRow: Int, _ image: Int) -> Activation {
        let tensor = plan.pointee.tensors[index]
        // Without memory, tasks have the right sizes at addresses that are not read.
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

    /// The rows that a step writes.
    func target(_ step: PlanStep, _ rows: BandStep, _ image: Int) -> Activation {
        activation(step.target.unsafelyUnwrapped, rows.rows, firstRow: rows.targetFirstRow, image)
    }

    func source(_ step: PlanStep, _ sourceRows: Range<Int>, _ rows: BandStep, _ image: Int) -> Activation {
        activation(step.source.unsafelyUnwrapped, sourceRows, firstRow: rows.sourceFirstRow, image)
    }

    /// All rows of a residual are kept.
    func residual(_ step: PlanStep, _ rows: BandStep, _ image: Int) -> Activation? {
        step.residual.map { activation($0, rows.rows, firstRow: plan.pointee.tensors[$0].firstRow, image) }
    }

    /// Makes room for the rows that a step writes and sets the border around them to zero: successive tensors share
    /// memory, so each pass does this again.
    mutating func prepare(_ index: Int, _ rows: BandStep, _ image: Int) {
        let tensor = plan.pointee.tensors[index]
        if tensor.border > 0 && rows.rows.lowerBound == 0 {
            let kept = tensor.firstRow + tensor.border..<tensor.firstRow + tensor.keptRows - tensor.border
            let whole = activation(index, kept, firstRow: tensor.firstRow, image)
            perform(
                engine.pointee.kernels.borderZeroing, BorderZeroingTask(activation: whole, cancellation: cancellation))
        }
        guard rows.rows != 0..<tensor.height, memory != nil else { return }
        let target = activation(index, rows.rows, firstRow: rows.targetFirstRow, image)
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

    func inputConversion(_ step: PlanStep, _ rows: BandStep, _ image: Int) -> InputConversionTask {
        engine.pointee.normalization.conversion(
            of: arguments.input, image: firstImage + image, firstRow: rows.rows.lowerBound,
            to: target(step, rows, image))
    }

    func outputConversion(_ step: PlanStep, _ rows: BandStep, _ image: Int) -> OutputConversionTask {
        arguments.outputs[step.step.output].conversion(
            from: source(step, rows.rows, rows, image), image: firstImage + image, firstRow: rows.rows.lowerBound)
    }

    /// - Parameter isAlone: Whether residual sum and ReLU are left to the BatchNorm after it.
    func task(
        _ step: PlanStep, _ convolution: ConvolutionStep, _ rows: BandStep, _ images: Range<Int>, isAlone: Bool
    ) -> ConvolutionTask {
        let definition = convolution.convolution.definition
        let window = definition.window
        let from = plan.pointee.tensors[step.source.unsafelyUnwrapped]
        let to = plan.pointee.tensors[step.target.unsafelyUnwrapped]
        let first = rows.rows.lowerBound * window.stride
        // The rows below a band have the role that the border has for the last band.
        let end =
            rows.rows.upperBound == to.height
            ? from.height : (rows.rows.upperBound - 1) * window.stride + window.extent - 2 * window.padding
        let weights = engine.pointee.packedAddresses(convolution)
        return ConvolutionTask(
            shape: ConvolutionShape(definition, height: end - first, width: from.width), imageCount: images.count,
            input: source(step, first..<end, rows, images.lowerBound), packedWeights: weights.weights,
            bias: weights.bias, residual: isAlone ? nil : residual(step, rows, images.lowerBound),
            relu: step.step.function == .relu && !isAlone, output: target(step, rows, images.lowerBound))
    }
}
