// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Networks
import Runtime

/// The file's weights of a stem for another number of input channels, during their conversion.
struct ConvertedStem: ~Copyable {
    private var weights = UniqueArray<Float>()
    private var channels = 0
    /// The convolution, and the destination of its weights.
    private var target: (convolution: Convolution, entry: StateEntry)?

    var isConverted: Bool { channels > 0 }

    /// Memory for the weights before conversion; nil if they stay unchanged.
    ///
    /// - Throws: `invalidArgument` for a map of channels that the file lacks; `outOfMemory`.
    mutating func prepare(
        _ conversion: InputConversion, fileChannels: Int, _ stem: Convolution, _ entry: StateEntry
    ) throws(BackboneError) -> UnsafeMutablePointer<Float>? {
        try conversion.check(fileChannels: fileChannels)
        if conversion.keeps(fileChannels: fileChannels, networkChannels: stem.inputChannels) { return nil }
        weights = try UniqueArray(repeating: 0, count: stem.weightCount / stem.inputChannels * fileChannels)
        channels = fileChannels
        target = (stem, entry)
        return weights.mutableElements.baseAddress
    }

    /// The scale of the stem as the file has it; `values` hold the rest of it.
    func scale(_ stem: Stem, _ values: borrowing NetworkValues) -> StemScale {
        guard isConverted, let weights = weights.elements.baseAddress else {
            return StemScale(stem, UnsafePointer(values.floats.start))
        }
        return StemScale(stem, UnsafePointer(values.floats.start), weights: weights, channels: channels)
    }

    func convert(_ conversion: InputConversion, _ values: borrowing NetworkValues) {
        guard let (convolution, entry) = target, let source = weights.elements.baseAddress else { return }
        conversion.convert(
            source, fileChannels: channels, to: values.floats.start + entry.valueOffset,
            networkChannels: convolution.inputChannels, outputs: convolution.outputChannels,
            area: convolution.window.size * convolution.window.size)
    }
}
