// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// What becomes of uint8 inputs: `(x - mean[c]) / standardDeviation[c]`, in float32, with channels in this or the
/// opposite order.
package struct InputNormalization: ~Copyable {
    private let mean: UniqueArray<Float>
    private let standardDeviation: UniqueArray<Float>
    package let reversesChannels: Bool

    /// Copies the caller's values; nil stands for means of 0 or deviations of 1.
    ///
    /// - Throws: `invalidArgument` for values that are not finite, and for deviations that are not positive.
    package init(
        channels: Int, mean: UnsafePointer<Float>?, standardDeviation: UnsafePointer<Float>?, reversesChannels: Bool
    ) throws(BackboneError) {
        for channel in 0..<channels {
            if let mean, !mean[channel].isFinite {
                throw BackboneError(.invalidArgument, "mean[\(channel)] is not a finite number")
            }
            if let standardDeviation, !(standardDeviation[channel].isFinite && standardDeviation[channel] > 0) {
                throw BackboneError(.invalidArgument, "std_dev[\(channel)] is not a positive finite number")
            }
        }
        let means = try Self.copy(mean, count: channels, default: 0)
        let deviations = try Self.copy(standardDeviation, count: channels, default: 1)
        self.mean = means
        self.standardDeviation = deviations
        self.reversesChannels = reversesChannels
    }

    /// One value per channel, valid as long as this value lives.
    package var means: UnsafePointer<Float> { mean.elements.baseAddress.unsafelyUnwrapped }
    package var standardDeviations: UnsafePointer<Float> {
        standardDeviation.elements.baseAddress.unsafelyUnwrapped
    }

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
