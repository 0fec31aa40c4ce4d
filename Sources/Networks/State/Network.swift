// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// A network: its graph, the values of the graph's entries, and the state of freezing and training. It computes nothing
/// on activations.
package struct Network: ~Copyable {
    package let configuration: Configuration
    package let graph: Graph
    /// The channels of its blocks, if they do not follow the rules.
    package let widths: BlockWidths

    /// All values, once they are needed. Until then they are those of `initializeWeights` with seed 0.
    var values: NetworkValues?
    /// The caller's memory with the parameters; nil while they are among the values. See `bindParameters`.
    var boundParameters: UnsafeMutablePointer<Float>?

    /// The number of changes of each node's values: packed copies note it to know when they are stale.
    package internal(set) var revisions: UniqueArray<Int>

    /// The number of writes of values, other than running statistics by a pass; and the number of changes of the
    /// trainable entries.
    package internal(set) var valueRevision = 0
    package private(set) var layoutRevision = 0

    /// -1 to the number of stages, as set by `freeze`.
    package private(set) var frozenStages = -1
    package private(set) var isTraining = false
    /// The statistics collected so far; nil if nothing is being collected.
    var collected: CollectedStatistics?
    /// Whether the present pass collects statistics, whatever the mode. Such a pass has no outputs.
    package var isCollecting = false
    /// Which parameters outside of frozen stages are trained.
    package private(set) var trainables = Trainables.all

    package init(
        _ configuration: Configuration, _ widths: consuming BlockWidths = BlockWidths()
    ) throws(BackboneError) {
        try self.init(configuration, try configuration.makeGraph(widths), widths)
    }

    /// A network with another graph than its configuration's, for tests.
    package init(
        _ configuration: Configuration, _ graph: consuming Graph, _ widths: consuming BlockWidths = BlockWidths()
    ) throws(BackboneError) {
        self.configuration = configuration
        self.widths = widths
        revisions = try UniqueArray(repeating: 0, count: graph.nodes.count)
        self.graph = graph
    }
}

// MARK: - Freezing and training

extension Network {
    /// Sets the state: the stem (0), the stem and the first stages, or nothing (-1) is frozen.
    package mutating func freeze(_ stages: Int32) throws(BackboneError) {
        try Network.checkFrozenStages(stages)
        if frozenStages != Int(stages) { layoutRevision += 1 }
        frozenStages = Int(stages)
    }

    package static func checkFrozenStages(_ stages: Int32) throws(BackboneError) {
        let most = Architecture.mostStages
        guard stages >= -1 && stages <= most else {
            throw BackboneError(.invalidArgument, "frozen_stages is \(stages), expected -1 to \(most)")
        }
    }

    package mutating func setTraining(_ training: Bool) { isTraining = training }

    func isFrozen(group: Int) -> Bool { group <= frozenStages }

    /// Sets which parameters outside of frozen stages are trained.
    ///
    /// - Throws: `invalidArgument` for the head of a network that has none.
    package mutating func train(_ which: Trainables) throws(BackboneError) {
        if which == .head {
            guard let last = graph.entries.elements.last, graph.isHead(last) else {
                throw BackboneError(
                    .invalidArgument,
                    "which is 2 (head), but the network has no classifier; set BACKBONE_STAGE_LOGITS in out_stages")
            }
        }
        if trainables != which { layoutRevision += 1 }
        trainables = which
    }

    package func isTrainable(_ entry: StateEntry) -> Bool {
        guard entry.role.isParameter && !isFrozen(group: graph.nodes[entry.node].freezeGroup) else { return false }
        switch trainables {
        case .all: return true
        case .norms: return graph.isNorm(node: entry.node)
        case .head: return graph.isHead(entry)
        }
    }

    /// The first trained node, or the end: nodes before it compute as in evaluation mode and have no trainable
    /// parameters, and later nodes read only the last one's result.
    package var firstTrainedNode: Int {
        var node = 1
        while node < graph.nodes.count && isFixed(node: node) { node += 1 }
        return node
    }

    /// The head reads only the last result before it.
    private func isFixed(node: Int) -> Bool {
        if isFrozen(group: graph.nodes[node].freezeGroup) { return true }
        return trainables == .head && !usesBatchStatistics && graph.nodes[node].freezeGroup != Node.headGroup
    }

    /// Whether the BatchNorms outside of frozen stages normalise with the statistics of the batch.
    private var normsUseBatches: Bool { isCollecting || isTraining && !configuration.normEval }

    /// Whether a node is a BatchNorm that normalises with the statistics of the batch, and updates its running ones.
    package func usesBatchStatistics(node: Int) -> Bool {
        guard normsUseBatches, case .batchNorm = graph.nodes[node].operation else { return false }
        return !isFrozen(group: graph.nodes[node].freezeGroup)
    }

    /// Whether any BatchNorm does, so that the images of a batch depend on each other.
    package var usesBatchStatistics: Bool {
        // Freezing goes from the stem outwards, so the last group is the last to be frozen.
        normsUseBatches && !isFrozen(group: graph.lastNormGroup)
    }
}
