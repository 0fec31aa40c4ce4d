// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

extension Leaves {
    /// Pixels at any addresses, channels last, to planes: channel `c` of pixel `p` goes to `out[c * planeStride + p]`.
    /// `channels` is a multiple of 8.
    @inline(never)
    package static func transposePixels(
        _ pixels: UnsafePointer<UnsafePointer<Float>?>, count: Int, channels: Int, out: UnsafeMutablePointer<Float>,
        planeStride: Int
    ) {
        var channel = 0
        while channel < channels {
            // Both halves of a cache line of channels.
            let end = channel &+ 16 <= channels ? channel &+ 16 : channel &+ 8
            transpose(pixels, count, channel, end, out, planeStride)
            channel = end
        }
    }
}

/// All pixels of a few channels. A tile writes whole cache lines of the planes.
@inline(__always)
private func transpose(
    _ pixels: UnsafePointer<UnsafePointer<Float>?>, _ count: Int, _ first: Int, _ end: Int,
    _ out: UnsafeMutablePointer<Float>, _ planeStride: Int
) {
    var pixel = 0
    while pixel < count {
        let left = count &- pixel
        if left < 8 && count < 8 { return copy(pixels, count, first, end, out, planeStride) }
        // The last pixels together with some before them, once more.
        if left < 8 { pixel = count &- 8 }
        var channel = first
        while channel < end {
            let to = out + channel &* planeStride + pixel
            shims_transpose8(pixels + pixel, channel, to, planeStride)
            if left >= 16 { shims_transpose8(pixels + pixel + 8, channel, to + 8, planeStride) }
            channel &+= 8
        }
        pixel &+= left >= 16 ? 16 : 8
    }
}

@inline(__always)
private func copy(
    _ pixels: UnsafePointer<UnsafePointer<Float>?>, _ count: Int, _ first: Int, _ end: Int,
    _ out: UnsafeMutablePointer<Float>, _ planeStride: Int
) {
    for pixel in 0..<count {
        let from = pixels[pixel].unsafelyUnwrapped
        for channel in first..<end { out[channel &* planeStride &+ pixel] = from[channel] }
    }
}
