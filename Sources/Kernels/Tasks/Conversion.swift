// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The element type of the caller's input.
package enum InputElement: BitwiseCopyable, Sendable {
    case float32
    case uint8
}

/// One image from the caller's memory, in any strides, to an activation: `(Float(x) - mean[c]) / standardDeviation[c]`,
/// computed in Float. An image of floats has the bits of one of bytes with the same values.
package struct InputConversionTask: KernelTask {
    /// Element (channel 0, row 0, column 0), aligned to its type.
    package let source: UnsafeRawPointer
    package let element: InputElement
    /// Strides in elements, of any sign.
    package let channelStride: Int
    package let rowStride: Int
    package let columnStride: Int
    /// One value per channel of the network; nil for 0.
    package let mean: UnsafePointer<Float>?
    /// One value per channel of the network; nil for 1.
    package let standardDeviation: UnsafePointer<Float>?
    /// Channel `c` of the network reads channel `channels - 1 - c`.
    package let reversesChannels: Bool
    /// Its size is the image's. Only its pixels are written.
    package let output: Activation

    package init(
        source: UnsafeRawPointer, element: InputElement, channelStride: Int, rowStride: Int, columnStride: Int,
        mean: UnsafePointer<Float>?, standardDeviation: UnsafePointer<Float>?, reversesChannels: Bool,
        output: Activation
    ) {
        self.source = source
        self.element = element
        self.channelStride = channelStride
        self.rowStride = rowStride
        self.columnStride = columnStride
        self.mean = mean
        self.standardDeviation = standardDeviation
        self.reversesChannels = reversesChannels
        self.output = output
    }

    /// The strides with a reversal of the channels included: the offset of the network's channel 0, and the stride from
    /// there.
    var channelOrder: (offset: Int, stride: Int) {
        guard reversesChannels else { return (0, channelStride) }
        return ((output.channels - 1) * channelStride, -channelStride)
    }

    /// Whether the conversion changes values.
    var isNormalized: Bool { mean != nil || standardDeviation != nil }
}

extension InputConversionTask {
    package func assertContract() {
        output.assertContract()
        let alignment = element == .float32 ? MemoryLayout<Float>.alignment : 1
        assert(Int(bitPattern: source) % alignment == 0, "the source is not aligned")
    }
}

/// One image from an activation to the caller's memory, in any strides.
package struct OutputConversionTask: KernelTask {
    package let input: Activation
    /// Element (channel 0, row 0, column 0), aligned to its type.
    package let destination: UnsafeMutablePointer<Float>
    /// Strides in elements, of any sign, under which no two elements share memory.
    package let channelStride: Int
    package let rowStride: Int
    package let columnStride: Int

    package init(
        input: Activation, destination: UnsafeMutablePointer<Float>, channelStride: Int, rowStride: Int,
        columnStride: Int
    ) {
        self.input = input
        self.destination = destination
        self.channelStride = channelStride
        self.rowStride = rowStride
        self.columnStride = columnStride
    }
}

extension OutputConversionTask {
    package func assertContract() {
        input.assertContract()
        assert(Int(bitPattern: destination) % MemoryLayout<Float>.alignment == 0, "the destination is not aligned")
    }
}
