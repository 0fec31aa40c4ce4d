// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Networks
import Runtime

/// Turns a graph into a program by fusion: a convolution's step includes the BatchNorm, the sum and the ReLU after it,
/// and that of a norm or a channel scale the sum and the function, where nothing else reads the results in between.
struct Lowering: ~Copyable {
    /// A future step, and the nodes fused into it.
    private struct Fusion: BitwiseCopyable {
        let kind: StepKind
        let first: Int
        var norm: Int?
        var scale: Int?
        var addend: Int?
        var function: Nonlinearity?
        /// Its last node, which gives the result.
        var last: Int

        init(_ kind: StepKind, _ node: Int) {
            self.kind = kind
            first = node
            last = node
        }

        /// Whether a sum can follow.
        var canAdd: Bool {
            guard addend == nil && function == nil else { return false }
            switch kind {
            case .convolution, .normalization, .groupNormalization, .elementwise: return true
            default: return false
            }
        }

        /// Whether a function can follow.
        func canApply(_ function: Nonlinearity, keepsInputs: Bool) -> Bool {
            guard self.function == nil else { return false }
            switch kind {
            case .convolution, .normalization, .groupNormalization: return function == .relu
            case .elementwise: return function == .relu || !keepsInputs || scale == nil && addend == nil
            default: return false
            }
        }
    }

    private var fusions = UniqueArray<Fusion>()
    /// The fusion that each node is part of, and the number of nodes and outputs that read its result.
    private var fusionOfNode: UniqueArray<Int>
    private var readerCounts: UniqueArray<Int>
    /// The step that gives the result of each node.
    private var stepOfNode: UniqueArray<Int>
    private var steps = UniqueArray<ProgramStep>()
    private var convolutionCount = 0
    private var statisticsCount = 0
    private var hasNormalization = false
    private let part: GraphPart

    private init(_ part: GraphPart, nodeCount: Int) throws(BackboneError) {
        self.part = part
        let fusions = try UniqueArray(repeating: -1, count: nodeCount)
        let readers = try UniqueArray(repeating: 0, count: nodeCount)
        let steps = try UniqueArray(repeating: -1, count: nodeCount)
        fusionOfNode = fusions
        readerCounts = readers
        stepOfNode = steps
    }

    /// The program of a whole graph.
    ///
    /// - Throws: `outOfMemory`.
    static func program(_ graph: borrowing Graph) throws(BackboneError) -> Program {
        try program(graph, .all(of: graph))
    }

    /// - Throws: `outOfMemory`.
    static func program(_ graph: borrowing Graph, _ part: GraphPart) throws(BackboneError) -> Program {
        var lowering = try Lowering(part, nodeCount: graph.nodes.count)
        lowering.countReaders(graph)
        try lowering.begin(Fusion(.input, part.input))
        for node in part.nodes { try lowering.fuse(node, graph) }
        for node in part.input..<part.nodes.upperBound { try lowering.addSteps(of: node, graph) }
        lowering.findReaders()
        return Program(
            steps: lowering.steps, convolutionCount: lowering.convolutionCount,
            statisticsCount: lowering.statisticsCount, hasNormalization: lowering.hasNormalization,
            segmentCount: graph.segmentCount)
    }

    private mutating func countReaders(_ graph: borrowing Graph) {
        for index in part.nodes {
            let node = graph.nodes[index]
            readerCounts[node.input] += 1
            if let second = node.secondInput { readerCounts[second] += 1 }
        }
        for output in 0..<graph.outputs.count where part.nodes.contains(graph.outputs[output].node) {
            readerCounts[graph.outputs[output].node] += 1
        }
        if let last = part.keptNode { readerCounts[last] += 1 }
    }

    // MARK: - Fusing

    private mutating func fuse(_ index: Int, _ graph: borrowing Graph) throws(BackboneError) {
        let node = graph.nodes[index]
        switch node.operation {
        case .image: return
        case .convolution: try begin(Fusion(.convolution, index))
        case .batchNorm: try fuseBatchNorm(index, node)
        case .groupNorm:
            var fusion = Fusion(.groupNormalization, index)
            fusion.norm = index
            try begin(fusion)
        case .channelScale:
            var fusion = Fusion(.elementwise, index)
            fusion.scale = node.secondInput
            try begin(fusion)
        case .add: try fuseSum(index, node)
        case .activation(let function):
            if let fusion = fusion(endingAt: node.input),
                fusions[fusion].canApply(function, keepsInputs: part.keepsInputs)
            {
                fusions[fusion].function = function
                extend(fusion, by: index)
            } else {
                var fusion = Fusion(.elementwise, index)
                fusion.function = function
                try begin(fusion)
            }
        case .maxPooling: try begin(Fusion(.maxPooling, index))
        case .averagePooling: try begin(Fusion(.averagePooling, index))
        case .globalPooling: try begin(Fusion(.globalPooling, index))
        case .subsample: try begin(Fusion(.subsample, index))
        case .blur: try begin(Fusion(.blur, index))
        case .linear: try begin(Fusion(.linear, index))
        case .channelConvolution: try begin(Fusion(.channelConvolution, index))
        }
    }

    private mutating func fuseBatchNorm(_ index: Int, _ node: Node) throws(BackboneError) {
        if let fusion = fusion(endingAt: node.input), fusions[fusion].kind == .convolution,
            fusions[fusion].last == fusions[fusion].first
        {
            fusions[fusion].norm = index
            extend(fusion, by: index)
        } else {
            var fusion = Fusion(.normalization, index)
            fusion.norm = index
            try begin(fusion)
        }
    }

    private mutating func fuseSum(_ index: Int, _ node: Node) throws(BackboneError) {
        // The first one: of two convolutions it is the branch, and the second the shortcut.
        if let fusion = fusion(endingAt: node.input), fusions[fusion].canAdd {
            fusions[fusion].addend = node.secondInput
            extend(fusion, by: index)
        } else if let second = node.secondInput, let fusion = fusion(endingAt: second), fusions[fusion].canAdd {
            fusions[fusion].addend = node.input
            extend(fusion, by: index)
        } else {
            var fusion = Fusion(.elementwise, index)
            fusion.addend = node.secondInput
            try begin(fusion)
        }
    }

    private mutating func begin(_ fusion: Fusion) throws(BackboneError) {
        fusionOfNode[fusion.first] = fusions.count
        try fusions.append(fusion)
    }

    /// The fusion that a node currently ends, if only the next node reads its result.
    private func fusion(endingAt node: Int) -> Int? {
        let fusion = fusionOfNode[node]
        return fusions[fusion].last == node && readerCounts[node] == 1 ? fusion : nil
    }

    private mutating func extend(_ fusion: Int, by node: Int) {
        fusions[fusion].last = node
        fusionOfNode[node] = fusion
    }

    // MARK: - Listing the steps

    /// Adds the step that gives a node's result, if it is the last one of its fusion, and the outputs of it.
    private mutating func addSteps(of index: Int, _ graph: borrowing Graph) throws(BackboneError) {
        let fusion = fusions[fusionOfNode[index]]
        if fusion.last == index { try addStep(fusion, graph) }
        // An output at the part's given node belongs to the part before it.
        for output in 0..<graph.outputs.count where graph.outputs[output].node == index && part.nodes.contains(index) {
            try addOutput(output, of: index, graph)
        }
        if part.keptNode == index { try addOutput(graph.outputs.count, of: index, graph) }
    }

    private mutating func addOutput(_ output: Int, of node: Int, _ graph: borrowing Graph) throws(BackboneError) {
        try steps.append(
            ProgramStep(
                kind: .output, node: node, source: stepOfNode[node], scale: nil, addend: nil, function: nil,
                convolution: nil, norm: nil, statisticsOffset: 0, window: Window(size: 1), countsPadding: false,
                output: output, channels: graph.nodes[node].channels, segment: graph.nodes[node].segment))
    }

    private mutating func addStep(_ fusion: Fusion, _ graph: borrowing Graph) throws(BackboneError) {
        let node = graph.nodes[fusion.first]
        // The node that a part begins with is computed elsewhere.
        let operation = fusion.kind == .input ? Operation.image : node.operation
        var convolution: FusedConvolution?
        var window = operation.window ?? Window(size: 1)
        var countsPadding = false
        switch operation {
        case .convolution(let definition):
            convolution = FusedConvolution(
                node: fusion.first, norm: fusion.norm, definition: definition, index: convolutionCount)
            convolutionCount += 1
        case .averagePooling(_, let counts): countsPadding = counts
        case .globalPooling: window = .whole
        default: break
        }
        let step = ProgramStep(
            kind: fusion.kind, node: fusion.first, source: fusion.kind == .input ? nil : stepOfNode[node.input],
            scale: fusion.scale.map { stepOfNode[$0] }, addend: fusion.addend.map { stepOfNode[$0] },
            function: fusion.function, convolution: convolution, norm: fusion.norm, statisticsOffset: statisticsCount,
            window: window, countsPadding: countsPadding, output: 0, channels: graph.nodes[fusion.last].channels,
            segment: graph.nodes[fusion.last].segment)
        if fusion.norm != nil && fusion.kind != .groupNormalization { statisticsCount += 2 * step.channels }
        if fusion.kind == .normalization { hasNormalization = true }
        stepOfNode[fusion.last] = steps.count
        try steps.append(step)
    }

    private mutating func findReaders() {
        for index in 0..<steps.count {
            let step = steps[index]
            if let source = step.source {
                steps[source].lastReader = index
                if step.kind == .convolution {
                    steps[source].border = max(steps[source].border, step.window.padding)
                }
            }
            if let addend = step.addend { steps[addend].lastReader = index }
            if let scale = step.scale { steps[scale].lastReader = index }
        }
    }
}
