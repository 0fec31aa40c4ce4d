// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Two sums for each channel over all pixels of a batch, in two phases: parts of its rows, then the sums of the parts.
/// In the shared memory of the phases, a part has the first sums of all channels, then the second ones.
struct ChannelSumParts {
    let rows: RowParts
    private let channels: Int

    /// - Parameter pixels: Of the first image.
    init(_ pixels: Activation, imageCount: Int) {
        channels = pixels.channels
        let floats = imageCount * pixels.height * pixels.rowFloats
        rows = RowParts(
            imageCount: imageCount, height: pixels.height, wanted: divideRoundingUp(floats, partFloats))
    }

    var needs: KernelNeeds {
        KernelNeeds(
            phaseCount: 2,
            sharedCount: 2 * channels * rows.count * (MemoryLayout<Double>.size / MemoryLayout<Float>.size))
    }

    func blockCount(phase: Int) -> Int { phase == 0 ? rows.count : divideRoundingUp(channels, channelsTogether) }

    /// The sums of a part, which begin with zero, and the second ones.
    func begin(_ part: Int, _ shared: UnsafeMutablePointer<Float>) -> (
        UnsafeMutablePointer<Double>, UnsafeMutablePointer<Double>
    ) {
        let sums = sums(part, shared)
        sums.update(repeating: 0, count: 2 * channels)
        return (sums, sums + channels)
    }

    /// Adds up the parts of a block of channels, the first part first.
    @inline(__always)
    func combine(
        block: Int, _ shared: UnsafeMutablePointer<Float>,
        write: (_ channel: Int, _ sum: Double, _ second: Double) -> Void
    ) {
        let first = block * channelsTogether
        for channel in first..<min(first + channelsTogether, channels) {
            var (sum, second) = (0.0, 0.0)
            for part in 0..<rows.count {
                let sums = sums(part, shared)
                sum += sums[channel]
                second += sums[channels + channel]
            }
            write(channel, sum, second)
        }
    }

    private func sums(_ part: Int, _ shared: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<Double> {
        UnsafeMutableRawPointer(shared).assumingMemoryBound(to: Double.self) + 2 * channels * part
    }
}

/// Floats of a part: 256 KB, so that each thread gets many parts.
private let partFloats = 64 * 1024
/// Channels of a block of the second phase.
private let channelsTogether = 64
