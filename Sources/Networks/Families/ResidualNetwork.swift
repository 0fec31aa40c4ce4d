// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension Configuration {
    /// The graph of a ResNet up to the last node that an output needs, under torchvision's names or, for modules that
    /// torchvision lacks, timm's.
    package func makeGraph() throws(BackboneError) -> Graph { try makeGraph(BlockWidths()) }

    /// - Throws: `invalidArgument` for choices that do not fit together; `outOfMemory`.
    package func makeGraph(_ widths: borrowing BlockWidths) throws(BackboneError) -> Graph {
        try check()
        var network = try ResidualNetwork(self, widths.values.elements)
        try network.add()
        return network.graph.finish()
    }

    private func check() throws(BackboneError) {
        guard architecture.isPreactivation else { return }
        switch architecture.shortcut {
        case .projection, .average, .none: break
        case .subsample, .everywhere, .wide:
            throw BackboneError(
                .invalidArgument, "shortcut: expected projection, average or none for a pre-activation network")
        }
        guard architecture.antiAliasing == .none && architecture.pooling != .convolution else {
            throw BackboneError(
                .invalidArgument,
                "anti_aliasing and stem_pooling: expected none, and max or none, for a pre-activation network")
        }
    }
}

/// Builds the graph of a configuration. Its files are the parts of a network: stem, blocks, shortcuts, gates, head.
struct ResidualNetwork: ~Copyable {
    let configuration: Configuration
    /// Empty if the architecture follows the rules.
    let widths: UnsafeBufferPointer<Int32>
    var graph: GraphBuilder

    var architecture: Architecture { configuration.architecture }

    init(_ configuration: Configuration, _ widths: UnsafeBufferPointer<Int32>) throws(BackboneError) {
        self.configuration = configuration
        self.widths = widths
        graph = try GraphBuilder(imageChannels: configuration.inChannels)
    }

    mutating func add() throws(BackboneError) {
        var features = try addStem()
        var geometry = StageGeometry.first(configuration.dilation)
        var number = 0
        for stage in 0..<configuration.deepestStage {
            let regular = architecture.blockWidth(stage: stage + 1, baseChannels: configuration.baseChannels)
            for block in 0..<architecture.blockCounts[stage] {
                graph.beginSegment(freezeGroup: stage + 1)
                graph.path =
                    architecture.isPreactivation ? "stages.\(stage).blocks.\(block)." : "layer\(stage + 1).\(block)."
                let width = BlockWidth(widths, block: number) ?? regular
                features = try addBlock(
                    features, architecture.blocks[stage], width, geometry.block(isFirst: block == 0),
                    isFirst: block == 0)
                number += 1
            }
            if configuration.outputs.contains(stage: stage + 1) {
                try graph.output(ResidualNetwork.outputName(stage: stage + 1), features)
            }
            geometry = geometry.next(configuration.dilation)
        }
        graph.path = ""
        try addHead(features)
    }

    private static func outputName(stage: Int) -> StaticString {
        switch stage {
        case 1: "C2"
        case 2: "C3"
        case 3: "C4"
        default: "C5"
        }
    }

    private mutating func addBlock(
        _ input: Int, _ block: Architecture.Block, _ width: BlockWidth, _ geometry: BlockGeometry, isFirst: Bool
    ) throws(BackboneError) -> Int {
        architecture.isPreactivation
            ? try addPreactivationBlock(input, block, width, geometry, isFirst: isFirst)
            : try addResidualBlock(input, block, width, geometry)
    }

    /// The final norm of a pre-activation network, the pooling and the classifier.
    private mutating func addHead(_ features: Int) throws(BackboneError) {
        let outputs = configuration.outputs
        guard outputs.hasPooled || outputs.hasLogits else { return }
        var features = features
        if architecture.isPreactivation {
            graph.beginSegment(freezeGroup: architecture.stageCount)
            features = try graph.activation(.relu, try addNorm("norm", features))
        }
        graph.beginSegment(freezeGroup: Node.headGroup)
        let pooled = try graph.globalPooling(features)
        if outputs.hasPooled { try graph.output("pooled", pooled) }
        guard outputs.hasLogits else { return }
        let logits: Int
        if architecture.isPreactivation {
            graph.path = "head."
            logits = try graph.convolution(
                "fc", pooled, to: configuration.classes, Window(size: 1), hasBias: true, initialWeights: .narrow)
        } else {
            logits = try graph.linear("fc", pooled, to: configuration.classes)
        }
        try graph.output("logits", logits)
    }

    mutating func addNorm(
        _ name: StaticString, _ input: Int, initialWeight: Float = 1
    ) throws(BackboneError) -> Int {
        let epsilon = configuration.normEpsilon
        if architecture.norm == .batch {
            return try graph.batchNorm(name, input, epsilon: epsilon, initialWeight: initialWeight)
        }
        let groups = Architecture.Norm.groupCount
        guard graph.channels(input) % groups == 0 else {
            throw BackboneError(
                .invalidArgument,
                """
                norm is 2 (GroupNorm), but a convolution has \(graph.channels(input)) channels, expected a multiple of \
                \(groups)
                """
            )
        }
        return try graph.groupNorm(name, input, groups: groups, epsilon: epsilon, initialWeight: initialWeight)
    }
}
