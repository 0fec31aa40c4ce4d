// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime
import Testing

@testable import Execution

/// Bands of rows only change the order of what is computed: the features are the same bits.
struct BandTests {
    struct Case: Sendable {
        let depth: Int32
        let stages: UInt32
        let height: Int
        let width: Int
        var style = Style.pytorch.rawValue
    }

    /// Small enough for kernels without optimization.
    static let cases = [
        Case(depth: 18, stages: 3, height: 803, width: 7),
        Case(depth: 18, stages: 1, height: 397, width: 21),
        Case(depth: 50, stages: 1, height: 301, width: 25),
        Case(depth: 50, stages: 2, height: 402, width: 13, style: Style.caffe.rawValue),
        // Bands where a tile has more rows than an image.
        Case(depth: 18, stages: 3, height: 21, width: 300),
        Case(depth: 50, stages: 1, height: 3, width: 801),
    ]

    @Test(arguments: cases, [0, 1])
    func featuresAreTheSameBits(_ testCase: Case, kernels: Int) throws {
        let table = kernels == 0 ? try KernelTable.best() : KernelTable.reference
        var generator = SplitMix(state: 7)
        let pixels = (0..<3 * testCase.height * testCase.width).map { _ in generator.next() }
        // The most bands for which the weights leave room, others, and none.
        var bandCounts: [Int] = []
        let results: [[Float]] = try [25_000, 60_000, Int.max].map { cachedFloats in
            let planner = Planner(
                kernels: table.convolutions, isDirect: false, blockCount: 8, cachedFloats: cachedFloats)
            let network = try Network(
                Configuration(
                    depth: testCase.depth, inChannels: 3, baseChannels: 16, outStages: testCase.stages, normEval: 0,
                    zeroInitResidual: 0, style: testCase.style))
            let plan = try Plan(
                network, planner, height: testCase.height, width: testCase.width, addsInPlace: true)
            bandCounts.append((0..<plan.sections.count).map { plan.sections[$0].bandCount }.max() ?? 0)
            return try features(of: network, table, planner, pixels, testCase)
        }
        #expect(bandCounts[0] > 2 || testCase.height < 100)
        #expect(bandCounts[2] == 1)
        #expect(results[2].contains { $0 != 0 })
        for result in results.dropLast() {
            let differing = result.indices.filter { result[$0].bitPattern != results[2][$0].bitPattern }
            #expect(
                differing.isEmpty, "\(differing.count) of \(result.count) differ, the first at \(differing.first ?? -1)"
            )
        }
    }

    /// All features of an image, one behind the other.
    private func features(
        of network: consuming Network, _ table: KernelTable, _ planner: Planner, _ pixels: [Float], _ testCase: Case
    ) throws -> [Float] {
        let engine = try Engine(
            threads: 2,
            normalization: InputNormalization(
                channels: 3, mean: nil, standardDeviation: nil, reversesChannels: false), kernels: table,
            planner: planner)
        let input = Dimensions(1, 3, testCase.height, testCase.width)
        var outputs = InlineArray<4, TensorView>(
            repeating: TensorView(data: nil, element: .float32, shape: input, strides: input))
        let shapes = (1...4).filter { testCase.stages >> ($0 - 1) & 1 == 1 }.map { stage in
            network.outputShape(stage: stage, input: input)
        }
        let counts = shapes.map { $0.n * $0.c * $0.h * $0.w }
        var result = [Float](repeating: .nan, count: counts.reduce(0, +))
        let session = try Session(network, engine)
        defer { session.destroy() }
        var image = pixels
        try image.withUnsafeMutableBytes { image in
            try result.withUnsafeMutableBytes { result in
                var start = 0
                for index in shapes.indices {
                    outputs[index] = view(try #require(result.baseAddress) + start, shapes[index])
                    start += counts[index] * MemoryLayout<Float>.stride
                }
                try session.forward(
                    ForwardArguments(input: view(try #require(image.baseAddress), input), outputs: outputs))
            }
        }
        return result
    }

    private func view(_ data: UnsafeMutableRawPointer, _ shape: Dimensions) -> TensorView {
        TensorView(
            data: data, element: .float32, shape: shape,
            strides: Dimensions(shape.c * shape.h * shape.w, shape.h * shape.w, shape.w, 1))
    }
}

/// Numbers between -1 and 1 that are the same each time (Steele et al. 2014, "Fast splittable pseudorandom number
/// generators").
private struct SplitMix {
    var state: UInt64

    mutating func next() -> Float {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
        return Float(Int32(truncatingIfNeeded: (bits ^ bits >> 31) >> 32)) / 0x1p31
    }
}
