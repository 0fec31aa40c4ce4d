// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime
import Testing

@testable import Execution

/// A session of a small network, and outputs of its forward passes in memory of any strides.
final class ForwardCase {
    /// What is done to inputs.
    struct Normalization {
        var mean: [Float]?
        var deviation: [Float]?
        var reversesChannels = false
        var includesFloats = false
    }

    /// A batch of images.
    struct Image {
        /// N, C, H, W without gaps.
        let pixels: [Float]
        let shape: Dimensions
        var isBytes = false
        var isChannelsLast = false
        /// Elements between rows, and between images.
        var rowGap = 0
        var imageGap = 0

        /// In elements.
        var strides: Dimensions {
            let (c, h, w) = (shape.c, shape.h, shape.w)
            let row = isChannelsLast ? w * c + rowGap : w + rowGap
            let image = (isChannelsLast ? h * row : c * h * row) + imageGap
            return isChannelsLast ? Dimensions(image, 1, row, c) : Dimensions(image, h * row, row, 1)
        }
    }

    let bandCount: Int
    private let outputCount: Int
    private let session: Session

    init(
        _ testCase: BandTests.Case, _ table: KernelTable, baseChannels: Int32 = 16, cachedFloats: Int,
        batchFloats: Int = Planner.batchFloats, _ inputs: Normalization = Normalization()
    ) throws {
        let planner = Planner(
            kernels: table.convolutions, isDirect: false, segmentCount: 9, cachedFloats: cachedFloats,
            batchFloats: batchFloats)
        let network = try Network(
            Configuration(
                depth: testCase.depth, inChannels: 3, baseChannels: baseChannels, outStages: testCase.stages,
                normEval: 0,
                zeroInitResidual: 0, style: testCase.style))
        let program = try Lowering.program(network.graph)
        let plan = try Plan(program, planner, height: testCase.height, width: testCase.width, addsInPlace: true)
        bandCount = (0..<plan.sections.count).map { plan.sections[$0].bandCount }.max() ?? 0
        outputCount = network.graph.outputs.count
        let normalization = try InputNormalization(
            channels: 3, mean: inputs.mean, standardDeviation: inputs.deviation,
            reversesChannels: inputs.reversesChannels, includesFloats: inputs.includesFloats)
        let engine = try Engine(
            network.graph, threads: 2, normalization: normalization, kernels: table, planner: planner)
        session = try Session(network, engine)
    }

    deinit { session.destroy() }

    /// The features of a batch, one array for each output, without gaps. In memory rows and images are so many floats apart,
    /// which must stay what they were.
    func features(of image: Image, rowGap: Int = 0, imageGap: Int = 0) throws -> [[Float]] {
        let shapes = try session.reading { network throws(BackboneError) in
            (0..<self.outputCount).map { network.outputShape($0, input: image.shape) }
        }
        let input = Self.block(of: image)
        defer { input.deallocate() }
        var outputs = OutputViews(
            repeating: TensorView(data: nil, element: .float32, shape: image.shape, strides: image.shape))
        let blocks = (0..<outputCount).map { index in
            let strides = Self.strides(shapes[index], rowGap, imageGap)
            let block = UnsafeMutableBufferPointer<Float>.allocate(capacity: shapes[index].n * strides.n)
            block.initialize(repeating: Self.canary)
            outputs[index] = TensorView(
                data: block.baseAddress, element: .float32, shape: shapes[index], strides: strides)
            return block
        }
        defer { for block in blocks { block.deallocate() } }
        let view = TensorView(
            data: input.baseAddress, element: image.isBytes ? .uint8 : .float32, shape: image.shape,
            strides: image.strides)
        try session.forward(ForwardArguments(input: view, outputs: outputs))
        return (0..<outputCount).map { index in
            let (shape, strides) = (shapes[index], Self.strides(shapes[index], rowGap, imageGap))
            return Self.places(shape, strides).map { place in
                defer { blocks[index][place] = Self.canary }
                return blocks[index][place]
            } + blocks[index].filter { $0 != Self.canary }
        }
    }

    /// Enters or leaves training mode.
    func train(_ isTraining: Bool = true) throws { try session.changing { $0.setTraining(isTraining) } }

    /// Freezes the stem and so many stages.
    func freeze(_ stages: Int32) throws {
        try session.changing { network throws(BackboneError) in try network.freeze(stages) }
    }

    /// How often the first norm has seen a batch, and the running statistics of the last one.
    func statistics() throws -> (batches: Int64, last: [Float]) {
        var last: [Float] = []
        var batches: Int64 = -1
        try session.reading { network throws(BackboneError) in
            let entry = network.graph.entries[network.graph.entries.count - 1]
            let norm = entry.node
            batches = network.counters[0]
            for channel in 0..<network.graph.nodes[norm].channels {
                last.append(network.values(.runningMean, ofNode: norm)[channel])
                last.append(network.values(.runningVar, ofNode: norm)[channel])
            }
        }
        return (batches, last)
    }

    private static var canary: Float { -77 }

    private static func strides(_ shape: Dimensions, _ rowGap: Int, _ imageGap: Int) -> Dimensions {
        let row = shape.w + rowGap
        return Dimensions(shape.c * shape.h * row + imageGap, shape.h * row, row, 1)
    }

    /// Where the elements are, in the order N, C, H, W.
    private static func places(_ shape: Dimensions, _ strides: Dimensions) -> [Int] {
        (0..<shape.n).flatMap { n in
            (0..<shape.c).flatMap { c in
                (0..<shape.h).flatMap { h in
                    (0..<shape.w).map { w in n * strides.n + c * strides.c + h * strides.h + w * strides.w }
                }
            }
        }
    }

    /// The image in its strides, with other values in the gaps.
    private static func block(of image: Image) -> UnsafeMutableRawBufferPointer {
        let size = image.isBytes ? 1 : 4
        let block = UnsafeMutableRawBufferPointer.allocate(
            byteCount: image.shape.n * image.strides.n * size, alignment: 4)
        block.initializeMemory(as: UInt8.self, repeating: 0x7F)
        for (place, value) in zip(places(image.shape, image.strides), image.pixels) {
            if image.isBytes {
                block[place] = UInt8(value)
            } else {
                block.storeBytes(of: value, toByteOffset: 4 * place, as: Float.self)
            }
        }
        return block
    }
}
