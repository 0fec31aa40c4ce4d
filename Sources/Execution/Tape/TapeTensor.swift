// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Runtime

/// The memory of a batch of activations, or of their gradients, in a tape.
struct TapeTensor: BitwiseCopyable {
    let height: Int
    let width: Int
    let channels: Int
    /// Zero pixels around each image: as many as the widest padding of the convolutions that read it.
    private(set) var border: Int
    /// Floats of an image, border included.
    private(set) var imageStride = 0
    /// Floats of all images, rounded up so that the next tensor is aligned.
    private(set) var floatCount = 0
    /// Its offset in the memory of the tape.
    var offset = 0
    /// The end of it.
    var end: Int { offset + floatCount }
    /// The times when it is needed: once, and a second time if the backward pass recomputes it.
    private var time = Lifetime()
    private var timeAgain = Lifetime()
    /// The time from which it is needed again; never for a kept one.
    private var turn = Int.max

    private struct Lifetime: BitwiseCopyable {
        var first = Int.max
        var last = Int.min

        mutating func include(_ time: Int) {
            first = min(first, time)
            last = max(last, time)
        }

        func meets(_ other: Lifetime) -> Bool { first <= other.last && other.first <= last }
    }

    init(height: Int, width: Int, channels: Int, border: Int) {
        self.height = height
        self.width = width
        self.channels = channels
        self.border = border
    }

    var isUsed: Bool { time.first <= time.last || timeAgain.first <= timeAgain.last }

    /// The first time at which it is needed.
    var first: Int { min(time.first, timeAgain.first) }

    mutating func use(at moment: Int) {
        if moment < turn { time.include(moment) } else { timeAgain.include(moment) }
    }

    /// Notes that it is recomputed after a time; call it before noting any later use.
    mutating func computeAgain(after moment: Int) { turn = moment }

    var isComputedAgain: Bool { turn < Int.max }

    /// Whether both are needed at the same time.
    func meets(_ other: TapeTensor) -> Bool {
        time.meets(other.time) || time.meets(other.timeAgain) || timeAgain.meets(other.time)
            || timeAgain.meets(other.timeAgain)
    }

    mutating func widen(to border: Int) { self.border = max(self.border, border) }

    /// - Throws: `invalidArgument` if no memory could hold it.
    mutating func measure(imageCount: Int) throws(BackboneError) {
        let pixels = checkedProduct(checkedSum(height, 2 * border), checkedSum(width, 2 * border))
        guard let stride = checkedProduct(pixels, channels), let count = checkedProduct(stride, imageCount),
            let aligned = Heap.aligned(count, Float.self)
        else {
            throw BackboneError(
                .invalidArgument,
                """
                input is too large: \(imageCount) x \(channels) x \(height) x \(width) activations; use fewer or \
                smaller images
                """)
        }
        imageStride = stride
        floatCount = aligned
    }

    /// Its view in memory that begins at `start`.
    func activation(_ start: UnsafeMutablePointer<Float>) -> Activation {
        Activation(
            block: start + offset, height: height, width: width, channels: channels, border: border,
            imageStride: imageStride)
    }
}
