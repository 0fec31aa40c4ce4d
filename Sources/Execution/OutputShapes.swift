// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

extension Network {
    /// The shape of the features of `stage` (1 to the deepest) for an input that `checkInputShape` has let pass.
    package borrowing func outputShape(stage: Int, input: Dimensions) -> Dimensions {
        let stem = ConvolutionShape(units[0], height: input.h, width: input.w)
        var height = StemPooling.outputSize(stem.outputHeight)
        var width = StemPooling.outputSize(stem.outputWidth)
        for index in 0..<blocks.count where blocks[index].stage <= stage {
            let block = blocks[index]
            for unit in block.firstUnit..<block.firstUnit + block.convolutionCount {
                let shape = ConvolutionShape(units[unit], height: height, width: width)
                height = shape.outputHeight
                width = shape.outputWidth
            }
        }
        return Dimensions(input.n, configuration.outputChannels(stage: stage), height, width)
    }

    /// - Throws: `invalidArgument` for an input that the network does not take.
    package borrowing func checkInputShape(_ shape: Dimensions) throws(BackboneError) {
        guard shape.n >= 0 else {
            throw BackboneError(.invalidArgument, "input.shape \(dimensions: shape): N must not be negative")
        }
        guard shape.c == configuration.inChannels else {
            throw BackboneError(
                .invalidArgument, "input.shape \(dimensions: shape): C must be in_channels, \(configuration.inChannels)"
            )
        }
        // No memory holds more rows or columns, and sums of a few sizes stay far from overflow.
        let limit = 1 << 40
        guard shape.h >= 1 && shape.w >= 1 && shape.h <= limit && shape.w <= limit else {
            throw BackboneError(.invalidArgument, "input.shape \(dimensions: shape): H and W must be 1 to \(limit)")
        }
    }
}

extension Configuration {
    /// - Throws: `invalidArgument` unless there is one output for each wanted stage.
    package func checkOutputCount(_ count: Int) throws(BackboneError) {
        guard count == outStages.count else {
            throw BackboneError(
                .invalidArgument, "count is \(count), expected \(outStages.count), one for each stage of out_stages")
        }
    }
}
