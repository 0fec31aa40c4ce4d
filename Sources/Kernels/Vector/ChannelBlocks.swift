// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The blocks of a kernel that sums up channels, whatever the pixels: one block is a few channels of all pixels.
struct ChannelBlocks {
    let channels: Int

    /// Two cache lines, which are read together: a cache line by itself leaves the memory idle.
    static let size = 32

    var count: Int { divideRoundingUp(channels, ChannelBlocks.size) }

    subscript(block: Int) -> Range<Int> {
        block * ChannelBlocks.size..<min((block + 1) * ChannelBlocks.size, channels)
    }

    /// The vector functions add up eight channels at a time.
    var haveVectors: Bool { channels % 8 == 0 }
}
