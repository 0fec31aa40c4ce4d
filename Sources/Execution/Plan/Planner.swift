// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels

/// Chooses how each convolution of a plan is computed, from its shape and the figures of a typical CPU alone: never from
/// threads, batch, or what the machine is doing, so that features are the same bits on all machines with the same kernels.
package struct Planner: Sendable {
    let kernels: ConvolutionKernels
    /// Nothing but direct arithmetic is wanted.
    let isDirect: Bool
    private let largestTile: Int
    /// Floats that stay in the third-level cache.
    let cachedFloats: Int
    /// Floats of the activations of a batch, unless a single image takes more.
    let batchFloats: Int
    /// Whether weights are packed for each use, as in training.
    private(set) var packsEachTime = false

    /// 8 MB: a share of what servers have, which is used by others too.
    package static var cachedFloats: Int { 2 << 20 }
    /// 96 MB.
    package static var batchFloats: Int { 24 << 20 }

    /// - Parameter segmentCount: Of the graph. What an early layer is off by grows with each segment after it, and the tiles
    ///   of F(6, 3) are off by four times as much as those of F(4, 3): they are for networks of up to 17 segments.
    package init(
        kernels: ConvolutionKernels, isDirect: Bool, segmentCount: Int, cachedFloats: Int = Planner.cachedFloats,
        batchFloats: Int = Planner.batchFloats
    ) {
        self.kernels = kernels
        self.cachedFloats = cachedFloats
        self.batchFloats = batchFloats
        self.isDirect = isDirect
        largestTile = segmentCount <= 17 ? 6 : 4
    }

    /// The same for weights that are packed for each use.
    var forTraining: Planner {
        var planner = self
        planner.packsEachTime = true
        return planner
    }

    /// The algorithm that is expected to be fastest, of those that have kernels.
    ///
    /// - Parameter isRectified: Whether the input comes from a ReLU, with nothing added before it.
    func algorithm(for shape: ConvolutionShape, isRectified: Bool = false) -> ConvolutionAlgorithm {
        var best = ConvolutionAlgorithm.direct
        if isDirect { return best }
        let uses = packsEachTime ? ConvolutionCost.packing : 1
        // At stride 1 tiles save more than zeros do, and do not depend on the image.
        let skipsZeros = isRectified && shape.stride == 2
        var lowest = ConvolutionCost.direct(shape, uses, skipsZeros: skipsZeros).microseconds
        for index in 1..<ConvolutionAlgorithm.count {
            guard let candidate = ConvolutionAlgorithm(rawValue: index), candidate.tileSize <= largestTile,
                kernels.have(candidate, for: shape)
            else { continue }
            let cost = ConvolutionCost.winograd(shape, tile: candidate.tileSize, uses).microseconds
            if cost < lowest { (best, lowest) = (candidate, cost) }
        }
        return best
    }
}

/// The cost of a convolution of one image, by the figures of a core of a 2021 server (Zen 3) with two at work.
struct ConvolutionCost {
    /// Microseconds of multiplications and transforms, and of reading the weights.
    private let arithmetic: Double
    private let memory: Double

    /// Weights arrive while earlier ones are multiplied, but never quite for nothing.
    var microseconds: Double { max(arithmetic, memory) + 0.3 * min(arithmetic, memory) }

    /// Multiplications of Float, with their additions.
    private static let productsPerMicrosecond = 88_000.0
    /// Floats that the transforms read or write at a point of a tile.
    private static let transformedPerMicrosecond = 18_000.0
    /// Bytes of weights. Those of a whole network exceed the caches: each forward pass reads them from memory again.
    private static let bytesPerMicrosecond = 18_000.0

    /// How often packed weights go through memory where they are packed before they are read: they are written too, and what
    /// they are made from is read.
    static let packing = 3.0

    /// The time that is left of a direct convolution which skips the zeros that a ReLU made: in trained networks 0.16 to
    /// 0.5 of its results are not zero.
    private static let skippingShare = 0.54

    static func direct(_ shape: ConvolutionShape, _ uses: Double, skipsZeros: Bool) -> ConvolutionCost {
        let products = Double(shape.outputHeight) * Double(shape.outputWidth) * Double(shape.weightCount)
        return ConvolutionCost(
            arithmetic: products / productsPerMicrosecond * (skipsZeros ? skippingShare : 1),
            memory: uses * 4 * Double(shape.weightCount) / bytesPerMicrosecond)
    }

    static func winograd(_ shape: ConvolutionShape, tile: Int, _ uses: Double) -> ConvolutionCost {
        let geometry = WinogradGeometry(m: tile, stride: shape.stride)
        let points = Double(geometry.pointCount(height: shape.outputHeight, width: shape.outputWidth))
        let weightPoints = Double(geometry.weightPoints)
        let pairs = Double(shape.inputChannels) * Double(shape.outputChannels)
        let transformed = points * Double(shape.inputChannels + shape.outputChannels)
        return ConvolutionCost(
            arithmetic: points * pairs / productsPerMicrosecond + transformed / transformedPerMicrosecond,
            memory: uses * 4 * weightPoints * pairs / bytesPerMicrosecond)
    }
}
