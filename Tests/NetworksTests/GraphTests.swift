// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime
import Testing

@testable import Networks

struct WindowTests {
    /// Against the definition: windows are counted one by one.
    @Test func outputSizes() {
        for size in 1...5 {
            for stride in 1...3 {
                for padding in 0...size / 2 {
                    for dilation in 1...2 {
                        for roundsUp in [false, true] {
                            let window = Window(
                                size: size, stride: stride, padding: padding, dilation: dilation, roundsUp: roundsUp)
                            for input in max(1, window.extent - 2 * padding)...17 {
                                let expected = Self.count(window, input)
                                #expect(window.outputSize(input) == expected, "\(window) on \(input)")
                            }
                        }
                    }
                }
            }
        }
    }

    /// Windows begin at -padding, and go on while they end within the padding; with `roundsUp`, while they begin before the
    /// end of the image and the one before did not reach the end of the padding.
    private static func count(_ window: Window, _ input: Int) -> Int {
        var (count, start) = (0, -window.padding)
        while start + window.extent <= input + window.padding {
            count += 1
            start += window.stride
        }
        let reached = start - window.stride + window.extent
        if window.roundsUp && reached < input + window.padding && start < input { count += 1 }
        return count
    }

    @Test func windowsThatKeepSizes() {
        #expect(Window(size: 3, padding: 1).keepsSize && Window(size: 1).keepsSize)
        #expect(Window(size: 3, padding: 2, dilation: 2).keepsSize)
        #expect(
            !Window(size: 3, padding: 1, dilation: 2).keepsSize && !Window(size: 3, stride: 2, padding: 1).keepsSize)
        #expect(!Window(size: 3).keepsSize)
    }
}

struct GraphTests {
    /// Names and shapes of a graph, as a state dict lists them.
    private func entries(_ graph: borrowing Graph) -> [String: [Int64]] {
        var result: [String: [Int64]] = [:]
        for index in 0..<graph.entries.count {
            let name = String(decoding: graph.name(of: graph.entries[index]), as: UTF8.self)
            result[name] = Array(graph.shape(ofEntry: index))
        }
        return result
    }

    /// Every operation has the entries of PyTorch's module.
    @Test func entriesOfOperations() throws {
        var builder = try GraphBuilder(imageChannels: 3)
        builder.path = "a."
        var node = try builder.convolution("conv", builder.image, to: 8, Window(size: 3, padding: 1), hasBias: true)
        node = try builder.groupNorm("gn", node, groups: 4, epsilon: 1e-5)
        node = try builder.activation(.silu, node)
        builder.beginSegment(freezeGroup: 1)
        builder.path = "b."
        node = try builder.convolution("grouped", node, to: 16, Window(size: 3, stride: 2, padding: 1), groups: 4)
        node = try builder.batchNorm("bn", node, epsilon: 1e-3, initialWeight: 0)
        node = try builder.blur(node, Window(size: 3, stride: 2, padding: 1))
        node = try builder.averagePooling(node, Window(size: 2, stride: 2, roundsUp: true), countsPadding: false)
        try builder.output("features", node)
        let pooled = try builder.globalPooling(node)
        let gate = try builder.activation(.sigmoid, try builder.linear("fc", pooled, to: 16))
        node = try builder.channelScale(node, by: gate)
        node = try builder.subsample(node, to: 32, stride: 2)
        try builder.output("last", node)
        try builder.output("pooled", try builder.globalPooling(node))
        let graph = builder.finish()
        #expect(
            entries(graph) == [
                "a.conv.weight": [8, 3, 3, 3], "a.conv.bias": [8], "a.gn.weight": [8], "a.gn.bias": [8],
                "b.grouped.weight": [16, 2, 3, 3], "b.bn.weight": [16], "b.bn.bias": [16], "b.bn.running_mean": [16],
                "b.bn.running_var": [16], "b.bn.num_batches_tracked": [], "b.fc.weight": [16, 16], "b.fc.bias": [16],
            ])
        #expect(graph.valueCount == 8 * 27 + 8 + 16 + 16 * 18 + 4 * 16 + 256 + 16 && graph.counterCount == 1)
        #expect(graph.segmentCount == 2)
        // 33 x 20: the convolution of stride 2 gives 17 x 10, the blur 9 x 5, the pooling 5 x 3, option A 3 x 2.
        let shapes = (0..<3).map { graph.shape(ofOutput: $0, height: 33, width: 20) }
        #expect(shapes.map { [$0.channels, $0.height, $0.width] } == [[16, 5, 3], [32, 3, 2], [32, 1, 1]])
    }

    /// Initial values are those of each operation, and those of an entry by itself the same as in all.
    @Test func initialValues() throws {
        var builder = try GraphBuilder(imageChannels: 4)
        var node = try builder.convolution(
            "grouped", builder.image, to: 64, Window(size: 3, padding: 1), groups: 2, hasBias: true)
        node = try builder.batchNorm("bn", node, epsilon: 1e-3, initialWeight: 0)
        node = try builder.groupNorm("gn", node, groups: 4, epsilon: 1e-5)
        node = try builder.linear("fc", try builder.globalPooling(node), to: 300)
        let graph = builder.finish()
        let values = try graph.makeValues()
        try graph.initialize(values, seed: 0, .none)
        func floats(_ role: StateEntry.Role, _ node: Int) -> [Float] {
            guard let entry = graph.entry(role, ofNode: node) else { return [] }
            return Array(UnsafeBufferPointer(start: values.floats.start + entry.valueOffset, count: entry.elementCount))
        }
        func deviation(_ values: [Float]) -> Double {
            (values.reduce(0) { $0 + Double($1) * Double($1) } / Double(values.count)).squareRoot()
        }
        // Groups do not divide the fan-out. 1152 and 19200 weights: deviations are within 7 and 2 %.
        let convolution = deviation(floats(.weight, 1))
        #expect(abs(convolution / (2.0 / (64 * 9)).squareRoot() - 1) < 0.07)
        #expect(abs(deviation(floats(.weight, 5)) / (1.0 / (3 * 64)).squareRoot() - 1) < 0.02)
        #expect(floats(.bias, 1) == [Float](repeating: 0, count: 64))
        #expect(floats(.weight, 2) == [Float](repeating: 0, count: 64))
        #expect(floats(.runningVar, 2) == [Float](repeating: 1, count: 64))
        #expect(floats(.weight, 3) == [Float](repeating: 1, count: 64))
        #expect(values.counters.start[0] == 0)
        let alone = try graph.makeValues()
        for index in 0..<graph.entries.count {
            let entry = graph.entries[index]
            try graph.initialize(alone, seed: 0, .none) { $0 == index }
            #expect(
                memcmp(alone.address(of: entry), values.address(of: entry), entry.byteCount) == 0, "entry \(index)")
        }
    }

    /// A single result is alive between two segments of every network: a cut there loses nothing.
    @Test func segmentsAreCutWhereOneResultIsAlive() throws {
        for number in 0..<ArchitectureTable.count {
            let architecture = try #require(ArchitectureTable.row(number))
            let graph = try Configuration(
                architecture, inChannels: 3, baseChannels: 64, outStages: 127, normEval: 0,
                zeroInitResidual: 0
            ).makeGraph()
            // The stem, each block, and the head, before which pre-activation networks have a norm.
            let blockCounts = (0..<4).map { architecture.blockCounts[$0] }
            #expect(graph.segmentCount == 2 + blockCounts.reduce(0, +) + (architecture.isPreactivation ? 1 : 0))
            for node in 1..<graph.nodes.count {
                for input in [graph.nodes[node].input, graph.nodes[node].secondInput].compactMap(\.self)
                where graph.nodes[input].segment != graph.nodes[node].segment {
                    // What is read from before is the last of the segment before.
                    #expect(graph.nodes[input].segment == graph.nodes[node].segment - 1)
                    #expect(graph.nodes[input + 1].segment == graph.nodes[node].segment)
                }
            }
        }
    }
}
