// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Runtime

extension TensorView {
    /// Passes the offsets, in elements from `data`, and the channels of some elements to `body`: the same each time, spread
    /// evenly over images, rows and columns. Call after `checkAddresses`, for a tensor that is not empty.
    func sample(count: Int, _ body: (_ offset: Int, _ channel: Int) -> Void) {
        // The sequence R3 of Roberts 2018, "The unreasonable effectiveness of quasirandom sequences".
        var (image, row, column): (UInt32, UInt32, UInt32) = (1 << 31, 1 << 31, 1 << 31)
        var channel = 0
        for _ in 0..<count {
            let offset =
                Self.part(image, of: shape.n) * strides.n + channel * strides.c + Self.part(row, of: shape.h)
                * strides.h
                + Self.part(column, of: shape.w) * strides.w
            body(offset, channel)
            image &+= 3_518_319_155
            row &+= 2_882_110_345
            column &+= 2_360_945_575
            channel = channel + 1 < shape.c ? channel + 1 : 0
        }
    }

    /// The index in 0..<size at so many 2^32ths of the way.
    private static func part(_ fraction: UInt32, of size: Int) -> Int {
        Int(truncatingIfNeeded: (UInt64(fraction) << 32).multipliedFullWidth(by: UInt64(size.magnitude)).high)
    }

    /// Whether all of some elements are finite.
    func looksFinite(count: Int) -> Bool {
        guard let data, element == .float32 else { return true }
        let floats = UnsafePointer(data.assumingMemoryBound(to: Float.self))
        var isFinite = true
        sample(count: count) { offset, _ in
            if !floats[offset].isFinite { isFinite = false }
        }
        return isFinite
    }
}

/// The scale of an input, from some of its values.
struct InputSample {
    /// The number of sampled elements: enough to find an image's darkest and brightest values, few enough to cost
    /// nothing next to the smallest forward pass.
    static var count: Int { 256 }

    /// Extremes of the finite values.
    private(set) var smallest = Float.infinity
    private(set) var largest = -Float.infinity
    /// The largest magnitude after normalisation, if that applies.
    private(set) var reach: Float = 0
    private(set) var notFiniteCount = 0
    /// Whether some value is not a whole number.
    private(set) var hasFraction = false

    /// - Parameter input: Is not empty.
    init(_ input: TensorView, _ normalization: borrowing InputNormalization) {
        guard let data = input.data else { return }
        let channels = input.shape.c
        let applies = normalization.changesValues && normalization.applies(to: input.element)
        let (means, deviations) = (normalization.means, normalization.standardDeviations)
        let reverses = normalization.reversesChannels
        input.sample(count: Self.count) { offset, channel in
            let value =
                switch input.element {
                case .float32: data.assumingMemoryBound(to: Float.self)[offset]
                case .uint8: Float(data.assumingMemoryBound(to: UInt8.self)[offset])
                }
            guard value.isFinite else {
                notFiniteCount += 1
                return
            }
            smallest = min(smallest, value)
            largest = max(largest, value)
            if value != value.rounded(.towardZero) { hasFraction = true }
            let to = reverses ? channels - 1 - channel : channel
            reach = max(reach, abs(applies ? (value - means[to]) / deviations[to] : value))
        }
    }

    /// An image of one colour, as programs use to warm up, shows nothing.
    var isConstant: Bool { !(smallest < largest) }
    /// Whether values are from 0 to 1 and use much of that range.
    var isFractionOfOne: Bool {
        smallest >= 0 && largest <= 1 && largest - smallest >= 0.25 && (smallest < 0.1 || largest > 0.9)
    }
    /// Whether values differ from pixels of 0 to 255: fractions around 0, or from 0 to 1.
    var isBelowPixels: Bool {
        hasFraction && smallest >= -5 && largest <= 5 && largest - smallest >= 0.25 && (smallest < 0 || largest <= 1)
    }
}
