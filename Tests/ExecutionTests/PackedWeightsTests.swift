// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Foundation
import Kernels
import Networks
import Runtime
import Testing

@testable import Execution

/// A session whose features are looked at as bits.
private final class Handle: @unchecked Sendable {
    let session: Session
    private static let baseChannels: Int32 = 16

    init(threads: Int = 2) throws {
        let network = try Network(
            Configuration(
                depth: 18, inChannels: 3, baseChannels: Handle.baseChannels, outStages: 8, normEval: 0,
                zeroInitResidual: 0))
        let kernels = try KernelTable.best()
        let normalization = try InputNormalization(
            channels: 3, mean: nil, standardDeviation: nil, reversesChannels: false)
        let planner = Planner(
            kernels: kernels.convolutions, isDirect: false, segmentCount: network.graph.segmentCount)
        let engine = try Engine(
            network.graph, threads: threads, normalization: normalization, kernels: kernels, planner: planner)
        session = try Session(network, engine)
    }

    deinit { session.destroy() }

    /// A hash of C5 of an image of a size.
    func features(_ height: Int, _ width: Int) throws -> Int {
        var image = (0..<3 * height * width).map { Float($0 * 7919 % 257) / 128 - 1 }
        let (rows, columns) = ((height + 31) / 32, (width + 31) / 32)
        let channels = 8 * Int(Handle.baseChannels)
        var features = [Float](repeating: .nan, count: channels * rows * columns)
        try image.withUnsafeMutableBytes { image in
            try features.withUnsafeMutableBytes { features in
                let input = TensorView(
                    data: image.baseAddress, element: .float32, shape: Dimensions(1, 3, height, width),
                    strides: Dimensions(3 * height * width, height * width, width, 1))
                let output = TensorView(
                    data: features.baseAddress, element: .float32, shape: Dimensions(1, channels, rows, columns),
                    strides: Dimensions(channels * rows * columns, rows * columns, columns, 1))
                let arguments = ForwardArguments(input: input, outputs: InlineArray(repeating: output))
                try session.forward(arguments)
            }
        }
        #expect(!features.contains { $0.isNaN })
        return features.map(\.bitPattern).hashValue
    }

    /// Bytes of all packed copies that some sizes want.
    func need(of sizes: [(Int, Int)]) throws -> Int {
        let kernels = session.kernels.convolutions
        return try session.withGraph { graph throws(BackboneError) in
            let planner = Planner(kernels: kernels, isDirect: false, segmentCount: graph.segmentCount)
            let program = try Lowering.program(graph)
            var copies = [Int: Int]()
            for (height, width) in sizes {
                let plan = try Plan(program, planner, height: height, width: width, addsInPlace: true)
                for index in 0..<plan.steps.count {
                    guard let step = plan.steps[index].convolution else { continue }
                    let shape = ConvolutionShape(step.convolution.definition, height: 1, width: 1)
                    let count = kernels[step.algorithm, shape].packedCount(shape) + shape.outputChannels
                    // As they are aligned: to 16 floats each.
                    copies[PackedWeights.index(step)] = 4 * (count + 32)
                }
            }
            return copies.values.reduce(0, +)
        }
    }

    func bound() throws -> Int {
        try session.withGraph { graph throws(BackboneError) in PackedWeights.bound(of: try Lowering.program(graph)) }
    }
}

@Suite struct PackedWeightsTests {
    /// Sizes of all kinds: those of one pixel in C5 get other algorithms than those of many.
    private static func size(_ index: Int) -> (Int, Int) { (8 + index * 37 % 311, 8 + index * 53 % 173) }

    /// The bits of a fresh handle for every so-manieth size, and the most bytes that one size needs by itself.
    private static func fresh(_ count: Int, every step: Int) throws -> (features: [Int: Int], most: Int) {
        var (features, most) = ([Int: Int](), 0)
        for index in stride(from: 0, to: count, by: step) {
            let handle = try Handle()
            let (height, width) = size(index)
            features[index] = try handle.features(height, width)
        }
        let handle = try Handle()
        for index in 0..<count { most = max(most, try handle.need(of: [size(index)])) }
        return (features, most)
    }

    @Test(.timeLimit(.minutes(5))) func memoryIsBoundedWithThreads() throws { try expectBoundedMemory(sizes: 15) }

    @Test(.timeLimit(.minutes(5))) func memoryIsBoundedOverManySizes() throws { try expectBoundedMemory(sizes: 200) }

    /// However many sizes come, in which order and from how many threads: the memory stays below the bound, and the bits
    /// are those of a handle that has seen no other size.
    private func expectBoundedMemory(sizes count: Int) throws {
        let expected = try PackedWeightsTests.fresh(count, every: count / 15)
        let handle = try Handle()
        let bound = max(try handle.bound(), expected.most)
        // Else the test would compare nothing.
        #expect(try handle.need(of: (0..<count).map(PackedWeightsTests.size)) > bound)
        let failures = UnsafeMutablePointer<Int>.allocate(capacity: 3)
        failures.initialize(repeating: 0, count: 3)
        defer { failures.deallocate() }
        let addresses = (0..<3).map { UInt(bitPattern: failures + $0) }
        let threads = (0..<3).map { number in
            Thread {
                let failures = UnsafeMutablePointer<Int>(bitPattern: addresses[number])
                for round in 0..<count {
                    let index = (round * [1, 7, 11][number] + number) % count
                    let (height, width) = PackedWeightsTests.size(index)
                    let features = try? handle.features(height, width)
                    if features == nil || features != expected.features[index, default: features ?? 0] {
                        failures?.pointee += 1
                    }
                    if handle.session.packedByteCount > bound { failures?.pointee += 1000 }
                }
                failures?.pointee -= 1_000_000
            }
        }
        for thread in threads { thread.start() }
        for thread in threads { while !thread.isFinished { usleep(1000) } }
        #expect((0..<3).map { failures[$0] } == [-1_000_000, -1_000_000, -1_000_000])
        #expect(handle.session.packedByteCount <= bound && handle.session.packedByteCount > 0)
    }

    /// What was used last stays, what was used longest ago goes.
    @Test func theLongestUnusedGoFirst() throws {
        let handle = try Handle(threads: 1)
        let bound = try handle.bound()
        var sizes = [(Int, Int)]()
        var largest = 0
        for index in 0..<15 {
            let (height, width) = PackedWeightsTests.size(index)
            sizes.append((height, width))
            _ = try handle.features(height, width)
            largest = max(largest, handle.session.packedByteCount)
        }
        #expect(largest <= max(bound, try PackedWeightsTests.fresh(15, every: 15).most))
        // A size again that came just now packs nothing, wherever the bound is.
        let before = handle.session.packedByteCount
        for _ in 0..<3 { _ = try handle.features(sizes[14].0, sizes[14].1) }
        #expect(handle.session.packedByteCount == before)
    }
}
