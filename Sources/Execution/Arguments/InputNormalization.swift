// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Runtime

/// The normalisation of uint8 inputs, and on request of float32 ones: `(x - mean[c]) / standardDeviation[c]`, in
/// float32, with channels in this or the opposite order.
package struct InputNormalization: ~Copyable {
    private let mean: UniqueArray<Float>
    private let standardDeviation: UniqueArray<Float>
    package let reversesChannels: Bool
    /// Whether the caller gave means, and deviations: what is not given may have been forgotten.
    private(set) var isMeanGiven: Bool
    private(set) var isDeviationGiven: Bool
    /// Whether it applies to float32 inputs too.
    package let includesFloats: Bool
    /// Whether some mean is not 0 or some deviation not 1.
    private(set) var changesValues = false
    /// Whether means and deviations are those of pixels from 0 to 255, not of values from 0 to 1.
    private(set) var isOfPixels = false
    /// The results for black and white.
    private(set) var smallestResult = Float.infinity
    private(set) var largestResult = -Float.infinity

    /// Copies the caller's values; nil stands for means of 0 or deviations of 1.
    ///
    /// - Throws: `invalidArgument` for values that are not finite, and for deviations that are not positive.
    package init(
        channels: Int, mean: UnsafePointer<Float>?, standardDeviation: UnsafePointer<Float>?, reversesChannels: Bool,
        includesFloats: Bool = false
    ) throws(BackboneError) {
        for channel in 0..<channels {
            if let mean, !mean[channel].isFinite {
                throw BackboneError(
                    .invalidArgument, "mean[\(channel)] is \(Double(mean[channel])), expected a finite number")
            }
            if let standardDeviation, !(standardDeviation[channel].isFinite && standardDeviation[channel] > 0) {
                throw BackboneError(
                    .invalidArgument,
                    "std_dev[\(channel)] is \(Double(standardDeviation[channel])), expected a finite number above 0")
            }
        }
        let means = try Self.copy(mean, count: channels, default: 0)
        let deviations = try Self.copy(standardDeviation, count: channels, default: 1)
        self.mean = means
        self.standardDeviation = deviations
        self.reversesChannels = reversesChannels
        self.includesFloats = includesFloats
        isMeanGiven = mean != nil
        isDeviationGiven = standardDeviation != nil
        describe(channels: channels)
    }

    init(copying other: borrowing InputNormalization, channels: Int) throws(BackboneError) {
        try self.init(
            channels: channels, mean: other.means, standardDeviation: other.standardDeviations,
            reversesChannels: other.reversesChannels, includesFloats: other.includesFloats)
        isMeanGiven = other.isMeanGiven
        isDeviationGiven = other.isDeviationGiven
    }

    private mutating func describe(channels: Int) {
        let (means, deviations) = (means, standardDeviations)
        for channel in 0..<channels where means[channel] != 0 || deviations[channel] != 1 {
            changesValues = true
            if abs(means[channel]) > 2 || deviations[channel] > 2 { isOfPixels = true }
        }
        let white: Float = isOfPixels ? 255 : 1
        for channel in 0..<channels {
            smallestResult = min(smallestResult, -means[channel] / deviations[channel])
            largestResult = max(largestResult, (white - means[channel]) / deviations[channel])
        }
    }

    /// One value per channel, valid as long as this value lives.
    package var means: UnsafePointer<Float> { mean.elements.baseAddress.unsafelyUnwrapped }
    package var standardDeviations: UnsafePointer<Float> {
        standardDeviation.elements.baseAddress.unsafelyUnwrapped
    }

    /// Whether it applies to inputs of these elements.
    func applies(to element: InputElement) -> Bool { element == .uint8 || includesFloats }

    private static func copy(
        _ values: UnsafePointer<Float>?, count: Int, default fallback: Float
    ) throws(BackboneError) -> UniqueArray<Float> {
        var copy = try UniqueArray(repeating: fallback, count: count)
        if let values {
            for index in 0..<count { copy[index] = values[index] }
        }
        return copy
    }
}
