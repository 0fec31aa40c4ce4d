// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The statistics of many batches together, for each BatchNorm, until they replace the running ones.
package struct CollectedStatistics: ~Copyable {
    /// The statistics of one node so far.
    private struct Layer: BitwiseCopyable {
        /// The offset of its first channel in both buffers.
        let offset: Int
        let channels: Int
        /// Values per channel, and batches, so far.
        var count = 0.0
        var batches = 0
    }

    /// One for each node of the graph.
    private var layers = UniqueArray<Layer>()
    private let means: Buffer<Double>
    /// Sums of squared deviations from the mean.
    private let squares: Buffer<Double>

    fileprivate init(_ graph: borrowing Graph) throws(BackboneError) {
        var layers = UniqueArray<Layer>()
        var total = 0
        for node in 0..<graph.nodes.count {
            var channels = 0
            if case .batchNorm = graph.nodes[node].operation { channels = graph.nodes[node].channels }
            try layers.append(Layer(offset: total, channels: channels))
            total += channels
        }
        let means = try Buffer<Double>(count: total)
        let squares = try Buffer<Double>(count: total)
        means.start.initialize(repeating: 0, count: total)
        squares.start.initialize(repeating: 0, count: total)
        self.layers = layers
        self.means = means
        self.squares = squares
    }

    /// Adds a batch: keeps mean and squared deviations of all values together (Chan, Golub and LeVeque 1983).
    fileprivate mutating func add(
        node: Int, mean: UnsafePointer<Double>, variance: UnsafePointer<Double>, count: Int
    ) {
        let (before, added) = (layers[node].count, Double(count))
        let total = before + added
        let offset = layers[node].offset
        for channel in 0..<layers[node].channels {
            let difference = mean[channel] - means.start[offset + channel]
            means.start[offset + channel] += difference * added / total
            squares.start[offset + channel] +=
                variance[channel] * added + difference * difference * before * added / total
        }
        layers[node].count = total
        layers[node].batches += 1
    }

    fileprivate func batches(ofNode node: Int) -> Int { layers[node].batches }

    fileprivate func mean(ofNode node: Int, _ channel: Int) -> Double { means.start[layers[node].offset + channel] }

    /// Unbiased.
    fileprivate func variance(ofNode node: Int, _ channel: Int) -> Double {
        squares.start[layers[node].offset + channel] / (layers[node].count - 1)
    }
}

extension Network {
    /// Begins to collect statistics; drops those collected before.
    ///
    /// - Throws: `invalidArgument` if no BatchNorm is outside of the frozen stages; `outOfMemory`.
    package mutating func beginStatistics() throws(BackboneError) {
        try requireBatchNorm()
        collected = try CollectedStatistics(graph)
    }

    /// Drops the collected statistics.
    package mutating func cancelStatistics() { collected = nil }

    package func requireCollected() throws(BackboneError) {
        if collected == nil {
            throw BackboneError(
                .invalidArgument, "no statistics are being collected; call backbone_statistics_begin first")
        }
        try requireBatchNorm()
    }

    private func requireBatchNorm() throws(BackboneError) {
        for node in 0..<graph.nodes.count where collectsStatistics(node: node) { return }
        throw BackboneError(
            .invalidArgument,
            "no BatchNorm is outside of the frozen stages; freeze fewer stages")
    }

    /// Replaces the running statistics of the BatchNorms outside of frozen stages by the collected ones.
    ///
    /// - Throws: `invalidArgument` if nothing was collected; nothing has changed then. `requireValues` must have succeeded.
    package mutating func commitStatistics() throws(BackboneError) {
        try requireCollected()
        var batches = 0
        for node in 0..<graph.nodes.count where collectsStatistics(node: node) {
            batches = max(batches, collected?.batches(ofNode: node) ?? 0)
        }
        guard batches > 0 else {
            throw BackboneError(
                .invalidArgument, "no images were added; call backbone_statistics_add first")
        }
        for node in 0..<graph.nodes.count where collectsStatistics(node: node) { replaceStatistics(node: node) }
        collected = nil
    }

    private mutating func replaceStatistics(node: Int) {
        let batches = collected?.batches(ofNode: node) ?? 0
        guard batches > 0, let meanEntry = graph.entry(.runningMean, ofNode: node),
            let varEntry = graph.entry(.runningVar, ofNode: node),
            let countEntry = graph.entry(.batchesTracked, ofNode: node)
        else { return }
        for channel in 0..<graph.nodes[node].channels {
            floats(of: meanEntry)[channel] = Float(collected?.mean(ofNode: node, channel) ?? 0)
            floats(of: varEntry)[channel] = Float(collected?.variance(ofNode: node, channel) ?? 0)
        }
        let tracked = counters + countEntry.valueOffset
        tracked.pointee = tracked.pointee &+ Int64(batches)
        noteChange(of: meanEntry)
    }

    /// Adds the statistics of a batch.
    mutating func collect(
        node: Int, mean: UnsafePointer<Double>, variance: UnsafePointer<Double>, count: Int
    ) {
        collected?.add(node: node, mean: mean, variance: variance, count: count)
    }

    /// Whether a node is a BatchNorm outside of frozen stages.
    private func collectsStatistics(node: Int) -> Bool {
        guard case .batchNorm = graph.nodes[node].operation else { return false }
        return !isFrozen(group: graph.nodes[node].freezeGroup)
    }
}
