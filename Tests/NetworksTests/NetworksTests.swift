// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
@testable import Networks
import Runtime
import Testing

struct InitializationTests {
    /// The distribution function at 17 points against the error function of the C library.
    @Test func normalGeneratorIsNormal() {
        var random = NormalGenerator(seed: 5, stream: 3)
        let values = (0..<200_000).map { _ in random.next() }
        for point in stride(from: -4.0, through: 4.0, by: 0.5) {
            let expected = 0.5 * (1 + erf(point / 2.0.squareRoot()))
            let actual = Double(values.filter { $0 <= point }.count) / Double(values.count)
            let deviation = (expected * (1 - expected) / Double(values.count)).squareRoot()
            #expect(abs(actual - expected) < 5 * deviation + 1e-5, "at \(point)")
        }
        // Neighbours, which come from one pair, are not correlated.
        let products = zip(values, values.dropFirst()).map(*).reduce(0, +) / Double(values.count)
        #expect(abs(products) < 5 / Double(values.count).squareRoot())
    }

    @Test func streamsDiffer() {
        func start(_ seed: UInt64, _ stream: UInt64) -> [Double] {
            var random = NormalGenerator(seed: seed, stream: stream)
            return (0..<8).map { _ in random.next() }
        }
        let all = [start(0, 0), start(0, 1), start(1, 0), start(1, 1), start(.max, 0), start(0, .max)]
        #expect(Set(all).count == all.count)
        #expect(start(7, 9) == start(7, 9))
    }
}

extension Architecture {
    fileprivate var stageSizes: Int { (0..<stageCount).reduce(0) { $0 + blockCounts[$1] } }

    /// Whether a file tells it from the networks before it in the table.
    fileprivate var isTold: Bool { antiAliasing == .none && shortcut != .none }
}

struct ArchitectureTests {
    /// Of a file of which names alone are known.
    private func matching(_ counts: [Int], bottleneck: Bool) -> Int32? {
        var outline = NetworkOutline()
        for (index, count) in counts.enumerated() where count > 0 {
            note("layer\(index + 1).\(count - 1).conv\(bottleneck ? 3 : 2).bias", [1], &outline)
        }
        // A network outside of the table has no name.
        return outline.architecture.flatMap { $0.isCustom ? nil : $0.depth }
    }

    private func note(_ name: String, _ shape: [Int64], _ outline: inout NetworkOutline) {
        var name = name
        name.withUTF8 { name in shape.withUnsafeBufferPointer { _ = outline.note(name, shape: $0) } }
    }

    /// The outline of a file with all entries of a graph.
    private func outline(_ graph: borrowing Graph) -> NetworkOutline {
        var outline = NetworkOutline()
        for index in 0..<graph.entries.count {
            _ = outline.note(graph.name(of: graph.entries[index]), shape: graph.shape(ofEntry: index))
        }
        return outline
    }

    private func shapes(_ graph: borrowing Graph) -> [String: [Int64]] {
        var shapes: [String: [Int64]] = [:]
        for index in 0..<graph.entries.count {
            let name = String(decoding: graph.name(of: graph.entries[index]), as: UTF8.self)
            shapes[name] = Array(graph.shape(ofEntry: index))
        }
        return shapes
    }

    /// What was saved from a network of any width opens as that network, also where rounding makes several rows one.
    @Test(arguments: [1, 2, 3, 5, 8, 12, 16, 20, 33, 64, 100, 256] as [Int32])
    func filesOfEveryWidthTellTheirNetwork(baseChannels: Int32) throws {
        for number in 0..<ArchitectureTable.count {
            let row = try #require(ArchitectureTable.row(number))
            // GroupNorms divide into 32 groups, and SENet-154's narrow convolutions into 64. Of the deepest networks one
            // width is enough.
            if (row.norm == .group || row.reduction != 1) && baseChannels % 64 != 0 { continue }
            if row.stageSizes > 100 && baseChannels != 12 { continue }
            // A file without projections is one that has lost them.
            if row.shortcut == .none && row.stem == .single { continue }
            let saved = try Configuration(
                row, inChannels: 4, baseChannels: baseChannels, outStages: 15, normEval: 0, zeroInitResidual: 0
            ).makeGraph()
            let found = try outline(saved).configuration()
            #expect(!found.architecture.isCustom && found.inChannels == 4, "row \(number)")
            if baseChannels == 64 && row.isTold { #expect(found.architecture.cName == row.cName) }
            let opened = try found.makeGraph()
            let (left, right) = (shapes(saved), shapes(opened))
            #expect(left == right, "row \(number)")
        }
    }

    /// BasicBlocks have no shortcut in the first stage that could tell whether it has a pooling.
    @Test func firstStagesTellTheirNetwork() throws {
        for name in ["resnet18", "resnet18d", "resnet10t", "resnet34d", "seresnet18", "resnetv2_18", "resnet20"] {
            let row = try Architecture(depth: 0, name: name)
            let saved = try Configuration(
                row, inChannels: 3, baseChannels: 64, outStages: 1, normEval: 0, zeroInitResidual: 0
            ).makeGraph()
            let found = try outline(saved).configuration()
            #expect(String(cString: found.architecture.cName) == name && found.outputs.bits == 1)
        }
    }

    /// Few names of deep blocks do not make a network, nor do many of one that no machine holds.
    @Test func endlessNetworksAreRefused() throws {
        var short = NetworkOutline()
        for stage in 1...4 { note("layer\(stage).999.conv1.weight", [1, 1, 1, 1], &short) }
        #expect(throws: BackboneError.self) { try short.configuration() }
        var long = NetworkOutline()
        note("conv1.weight", [64, 3, 7, 7], &long)
        var width: Int64 = 16 * 64
        for stage in 1...4 {
            for block in 0...9 {
                for conv in 1...3 { note("layer\(stage).\(block).conv\(conv).weight", [width, width, 1, 1], &long) }
            }
            width *= 2
        }
        #expect { try long.configuration() } throws: { error in
            guard let message = (error as? BackboneError)?.message else { return false }
            let text = String(decoding: (0..<message.count).map { message[$0] }, as: UTF8.self)
            return text.hasSuffix("values, expected at most 1073741824")
        }
    }

    /// The numbers of blocks in table 1 of He et al. 2015.
    @Test func depthsByBlocks() {
        #expect(matching([2, 2, 2, 2], bottleneck: false) == 18)
        #expect(matching([3, 4, 6, 3], bottleneck: false) == 34)
        #expect(matching([3, 4, 6, 3], bottleneck: true) == 50)
        #expect(matching([3, 4, 23, 3], bottleneck: true) == 101)
        #expect(matching([3, 8, 36, 3], bottleneck: true) == 152)
        // A stage is enough where it is one network's alone.
        #expect(matching([0, 0, 23, 0], bottleneck: true) == 101)
        #expect(matching([0, 8, 0, 0], bottleneck: true) == 152)
        #expect(matching([3, 0, 0, 0], bottleneck: false) == 34)
        #expect(matching([3, 4, 0, 0], bottleneck: true) == nil)
        #expect(matching([2, 2, 2, 2], bottleneck: true) == 0)
        for counts in [[0, 0, 0, 0], [2, 2, 2, 3], [3, 4, 24, 3], [1000, 1000, 1000, 1000], [1, 1, 1, 1]] {
            #expect(matching(counts, bottleneck: true) == nil && matching(counts, bottleneck: false) == nil)
        }
    }
}

struct AdoptionTests {
    private func network() throws -> Configuration {
        try Configuration(
            depth: 18, inChannels: 3, baseChannels: 2, outStages: 1, normEval: 0, zeroInitResidual: 0)
    }

    /// A load that brings some entries leaves the others: as they were, or as initialised if they did not exist yet.
    @Test(arguments: [false, true])
    func partialLoad(hadValues: Bool) throws {
        var network = try Network(network())
        var untouched = try Network(network.configuration)
        if hadValues {
            try network.initializeWeights(seed: 77)
            try untouched.initializeWeights(seed: 77)
        } else {
            try untouched.requireValues()
        }
        let loaded = try network.graph.makeValues()
        for index in 0..<loaded.floats.count { loaded.floats.start[index] = Float(index) + 0.5 }
        for index in 0..<loaded.counters.count { loaded.counters.start[index] = Int64(index) + 1000 }
        var isLoaded = UniqueArray<Bool>()
        for index in 0..<network.graph.entries.count { try isLoaded.append(index % 3 == 0) }
        try network.adopt(loaded, isLoaded: isLoaded)
        for index in 0..<network.graph.entries.count {
            let entry = network.graph.entries[index]
            let address = network.address(of: entry)
            let bytes = [UInt8](UnsafeRawBufferPointer(start: address, count: entry.byteCount))
            let before = [UInt8](
                UnsafeRawBufferPointer(start: untouched.address(of: entry), count: entry.byteCount))
            if index % 3 != 0 {
                #expect(bytes == before, "entry \(index)")
            } else if entry.role == .batchesTracked {
                #expect(address.load(as: Int64.self) == Int64(entry.valueOffset) + 1000)
            } else {
                let start = address.assumingMemoryBound(to: Float.self)
                for element in 0..<entry.elementCount {
                    #expect(start[element] == Float(entry.valueOffset + element) + 0.5)
                }
            }
        }
    }
}
