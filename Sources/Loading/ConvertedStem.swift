// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Networks
import Runtime

/// The file's weights of a stem for another number of input channels, on their way into the network.
struct ConvertedStem: ~Copyable {
    private var weights = UniqueArray<Float>()
    private var channels = 0

    var isConverted: Bool { channels > 0 }

    /// Where to read the weights to if they are to be converted; nil if they stay as they are.
    ///
    /// - Throws: `invalidArgument` for a map of channels that the file lacks; `outOfMemory`.
    mutating func prepare(
        _ conversion: InputConversion, fileChannels: Int, _ unit: ConvolutionUnit
    ) throws(BackboneError) -> UnsafeMutablePointer<Float>? {
        try conversion.check(fileChannels: fileChannels)
        if conversion.keeps(fileChannels: fileChannels, networkChannels: unit.inputChannels) { return nil }
        weights = try UniqueArray(repeating: 0, count: unit.weightCount / unit.inputChannels * fileChannels)
        channels = fileChannels
        return weights.mutableElements.baseAddress
    }

    /// The scale of the stem as the file has it; `values` hold the rest of it.
    func scale(_ network: borrowing Network, _ values: borrowing NetworkValues) -> StemScale {
        let unit = network.units[0]
        let floats = UnsafePointer(values.floats.start)
        return StemScale(
            weights: isConverted ? weights.elements.baseAddress.unsafelyUnwrapped : floats + unit.valueOffset,
            normWeight: floats + unit.normWeightOffset, variance: floats + unit.runningVarOffset,
            outputs: unit.outputChannels,
            count: unit.weightCount / unit.outputChannels / unit.inputChannels
                * (isConverted ? channels : unit.inputChannels),
            epsilon: network.configuration.normEpsilon)
    }

    func convert(_ conversion: InputConversion, _ unit: ConvolutionUnit, _ values: borrowing NetworkValues) {
        guard isConverted, let source = weights.elements.baseAddress else { return }
        conversion.convert(
            source, fileChannels: channels, to: values.floats.start + unit.valueOffset,
            networkChannels: unit.inputChannels, outputs: unit.outputChannels, area: unit.kernelSize * unit.kernelSize)
    }
}
