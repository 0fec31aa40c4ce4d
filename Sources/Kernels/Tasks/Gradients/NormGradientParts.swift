// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The sums of the parts of a `NormGradientSumsTask` in the memory that its phases share: of each part the sums of all
/// channels, then the sums of products.
struct NormGradientParts {
    /// The first computes parts of rows, the second adds up the parts of some channels.
    static var phaseCount: Int { 2 }

    private let task: NormGradientSumsTask
    let rows: RowParts

    init(_ task: NormGradientSumsTask) {
        self.task = task
        let floats = task.imageCount * task.gradient.height * task.gradient.rowFloats
        rows = RowParts(
            imageCount: task.imageCount, height: task.gradient.height, wanted: divideRoundingUp(floats, partFloats))
    }

    private var channels: Int { task.gradient.channels }

    /// Floats of shared memory.
    var floatCount: Int {
        2 * channels * rows.count * (MemoryLayout<Double>.size / MemoryLayout<Float>.size)
    }

    func needs() -> KernelNeeds { KernelNeeds(phaseCount: Self.phaseCount, sharedCount: floatCount) }

    func blockCount(phase: Int) -> Int { phase == 0 ? rows.count : divideRoundingUp(channels, channelsTogether) }

    /// The sums of a part.
    func sums(_ part: Int, _ shared: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<Double> {
        UnsafeMutableRawPointer(shared).assumingMemoryBound(to: Double.self) + 2 * channels * part
    }

    /// Adds up the parts of a block of channels, the first part first.
    func combine(block: Int, _ shared: UnsafeMutablePointer<Float>) {
        let first = block * channelsTogether
        for channel in first..<min(first + channelsTogether, channels) {
            var (sum, productSum) = (0.0, 0.0)
            for part in 0..<rows.count {
                let sums = sums(part, shared)
                sum += sums[channel]
                if task.input != nil { productSum += sums[channels + channel] }
            }
            task.sum[channel] = sum
            if task.input != nil, let out = task.productSum { out[channel] = productSum }
        }
    }
}

/// Floats of a part: 256 KB, of which each thread takes many.
private let partFloats = 64 * 1024
/// Channels of a block of the second phase.
private let channelsTogether = 64
