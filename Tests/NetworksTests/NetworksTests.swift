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

struct DepthTests {
    private func matching(_ counts: [Int], bottleneck: Bool) -> Int32? {
        var list: [4 of Int] = .init(repeating: 0)
        for (index, count) in counts.enumerated() { list[index] = count }
        return Depth.matching(list, isBottleneck: bottleneck)?.rawValue
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

    /// A load that brings some entries leaves the others: as they were, or as initialised where nothing was there yet.
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
        let loaded = try network.makeValues()
        for index in 0..<loaded.floats.count { loaded.floats.start[index] = Float(index) + 0.5 }
        for index in 0..<loaded.batchesTracked.count { loaded.batchesTracked.start[index] = Int64(index) + 1000 }
        var isLoaded = UniqueArray<Bool>()
        for index in 0..<network.entries.count { try isLoaded.append(index % 3 == 0) }
        network.adopt(loaded, isLoaded: isLoaded)
        for index in 0..<network.entries.count {
            let entry = network.entries[index]
            let address = network.address(of: entry)
            let bytes = [UInt8](UnsafeRawBufferPointer(start: address, count: entry.byteCount))
            let before = [UInt8](
                UnsafeRawBufferPointer(start: untouched.address(of: entry), count: entry.byteCount))
            if index % 3 != 0 {
                #expect(bytes == before, "entry \(index)")
            } else if entry.role == .batchesTracked {
                #expect(address.load(as: Int64.self) == Int64(entry.unit) + 1000)
            } else {
                let start = address.assumingMemoryBound(to: Float.self)
                let offset = start - network.floats
                for element in 0..<entry.elementCount { #expect(start[element] == Float(offset + element) + 0.5) }
            }
        }
    }
}
