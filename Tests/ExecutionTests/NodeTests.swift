// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Kernels
import Networks
import Runtime
import Testing

@testable import Execution

/// Networks of every kind of node, lowered and computed, against `GraphInterpreter`.
struct NodeTests {
    enum Case: String, CaseIterable, Sendable {
        case squeezeAndExcitation, efficientAttention, averageShortcut, preActivation, groupNorm, optionA, blur
        case pooledAndLinear, groupsAndDilation, plain, functions, biases, sums

        func build(_ b: inout GraphBuilder) throws(BackboneError) {
            let three = Window(size: 3, padding: 1)
            var x = try b.convolution("stem", b.image, to: 16, Window(size: 3, stride: 2, padding: 1))
            x = try b.activation(.relu, try b.batchNorm("stem_bn", x, epsilon: 1e-5))
            b.beginSegment(freezeGroup: 1)
            switch self {
            case .squeezeAndExcitation:
                let shortcut = x
                x = try b.batchNorm("bn", try b.convolution("c", x, to: 16, three), epsilon: 1e-5)
                var gate = try b.globalPooling(x)
                gate = try b.activation(.relu, try b.convolution("fc1", gate, to: 8, Window(size: 1), hasBias: true))
                gate = try b.activation(
                    .sigmoid, try b.convolution("fc2", gate, to: 16, Window(size: 1), hasBias: true))
                x = try b.activation(.relu, try b.add(try b.channelScale(x, by: gate), shortcut))
            case .efficientAttention:
                let shortcut = x
                x = try b.batchNorm("bn", try b.convolution("c", x, to: 16, three), epsilon: 1e-5)
                let gate = try b.channelConvolution("conv", try b.globalPooling(x), size: 5)
                x = try b.channelScale(x, by: try b.activation(.sigmoid, gate))
                x = try b.activation(.relu, try b.add(x, shortcut))
            case .averageShortcut:
                var shortcut = try b.averagePooling(
                    x, Window(size: 2, stride: 2, roundsUp: true), countsPadding: false)
                shortcut = try b.batchNorm(
                    "d1", try b.convolution("d0", shortcut, to: 32, Window(size: 1)), epsilon: 1e-5)
                x = try b.convolution("c", x, to: 32, Window(size: 3, stride: 2, padding: 1))
                x = try b.activation(.relu, try b.add(try b.batchNorm("bn", x, epsilon: 1e-5), shortcut))
                try b.output(
                    "trailing", try b.averagePooling(x, Window(size: 2, trailingPadding: 1), countsPadding: true))
                try b.output(
                    "padded", try b.averagePooling(x, Window(size: 3, stride: 2, padding: 1), countsPadding: true))
            case .preActivation:
                let y = try b.activation(.relu, try b.batchNorm("n1", x, epsilon: 1e-5))
                var branch = try b.convolution("c1", y, to: 16, three)
                branch = try b.activation(.relu, try b.batchNorm("n2", branch, epsilon: 1e-5))
                x = try b.add(try b.convolution("c2", branch, to: 16, three), x)
                try b.output("sum", x)
                b.beginSegment(freezeGroup: 2)
                x = try b.activation(.relu, try b.batchNorm("norm", x, epsilon: 1e-5))
            case .groupNorm:
                let shortcut = x
                x = try b.groupNorm("gn1", try b.convolution("c1", x, to: 16, three), groups: 4, epsilon: 1e-5)
                x = try b.activation(.relu, x)
                x = try b.groupNorm("gn2", try b.convolution("c2", x, to: 16, three), groups: 8, epsilon: 1e-5)
                x = try b.activation(.relu, try b.add(x, shortcut))
            case .optionA:
                let shortcut = try b.subsample(x, to: 32, stride: 2)
                x = try b.convolution("c", x, to: 32, Window(size: 3, stride: 2, padding: 1))
                x = try b.activation(.relu, try b.add(try b.batchNorm("bn", x, epsilon: 1e-5), shortcut))
            case .blur:
                x = try b.blur(x, Window(size: 3, stride: 2, padding: 1))
                x = try b.activation(.relu, try b.convolution("c", x, to: 16, three))
            case .pooledAndLinear:
                let pooled = try b.globalPooling(x)
                try b.output("pooled", pooled)
                try b.output("logits", try b.linear("fc", pooled, to: 10))
            case .groupsAndDilation:
                x = try b.convolution("g", x, to: 32, Window(size: 3, stride: 2, padding: 1), groups: 4)
                x = try b.activation(.relu, try b.batchNorm("bn", x, epsilon: 1e-5))
                x = try b.convolution("d", x, to: 16, Window(size: 3, padding: 2, dilation: 2))
                x = try b.activation(.relu, try b.batchNorm("bn2", x, epsilon: 1e-5))
            case .plain:
                for name in ["a", "b"] as [StaticString] {
                    x = try b.activation(.relu, try b.convolution(name, x, to: 16, three))
                }
            case .functions:
                x = try b.activation(.silu, try b.convolution("c", x, to: 16, three))
                x = try b.activation(.sigmoid, x)
                x = try b.activation(.relu, try b.activation(.silu, x))
            case .biases:
                x = try b.convolution("c", x, to: 16, three, hasBias: true)
                x = try b.activation(.relu, try b.batchNorm("bn", x, epsilon: 1e-3))
            case .sums:
                // Sums of which neither term can take the other in.
                let y = try b.add(x, x)
                x = try b.activation(.relu, try b.add(y, try b.maxPooling("pool", y, three)))
            }
            try b.output("last", x)
        }
    }

    private static func network(_ testCase: Case) throws -> Network {
        var builder = try GraphBuilder(imageChannels: 3)
        try testCase.build(&builder)
        var network = try Network(
            Configuration(
                depth: 18, inChannels: 3, baseChannels: 16, outStages: 1, normEval: 0, zeroInitResidual: 0),
            builder.finish())
        try network.initializeWeights(seed: 3)
        // Norms and biases that change something.
        var generator = SplitMix(state: 5)
        for index in 0..<network.graph.entries.count {
            let entry = network.graph.entries[index]
            guard entry.dimensions == 1 else { continue }
            let values = (0..<entry.elementCount).map { _ in
                entry.role == .runningVar || entry.role == .weight ? 1 + generator.next() / 2 : generator.next() / 2
            }
            values.withUnsafeBytes { bytes in
                if let start = bytes.baseAddress { network.write(entry, from: start) }
            }
        }
        return network
    }

    /// The outputs of a forward pass, and the session, to be destroyed.
    private static func compute(
        _ network: consuming Network, _ image: Images, _ table: KernelTable, cachedFloats: Int
    ) throws -> ([Images], Session) {
        let shapes = (0..<network.graph.outputs.count).map {
            network.outputShape($0, input: Dimensions(image.count, 3, image.height, image.width))
        }
        let planner = Planner(
            kernels: table.convolutions, isDirect: true, segmentCount: network.graph.segmentCount,
            cachedFloats: cachedFloats)
        let normalization = try InputNormalization(
            channels: 3, mean: nil, standardDeviation: nil, reversesChannels: false)
        let engine = try Engine(
            network.graph, threads: 2, normalization: normalization, kernels: table, planner: planner)
        // In evaluation little memory cuts sections into bands, if they have more than a few rows.
        if cachedFloats < .max && image.height > 20 && !network.isTraining {
            let plan = try Plan(
                engine.program, planner, height: image.height, width: image.width, addsInPlace: true)
            #expect((0..<plan.sections.count).contains { plan.sections[$0].bandCount > 1 })
        }
        let session = try Session(network, engine)
        func view(_ data: UnsafeMutableBufferPointer<Float>, _ shape: Dimensions) -> TensorView {
            TensorView(
                data: data.baseAddress, element: .float32, shape: shape,
                strides: Dimensions(shape.c * shape.h * shape.w, shape.h * shape.w, shape.w, 1))
        }
        let input = UnsafeMutableBufferPointer<Float>.allocate(capacity: image.values.count)
        _ = input.initialize(from: image.values.map { Float($0) })
        let outputs = shapes.map { UnsafeMutableBufferPointer<Float>.allocate(capacity: $0.n * $0.c * $0.h * $0.w) }
        defer { for block in outputs + [input] { block.deallocate() } }
        for output in outputs { output.initialize(repeating: .nan) }
        var views = OutputViews(repeating: view(input, Dimensions(image.count, 3, image.height, image.width)))
        for index in shapes.indices { views[index] = view(outputs[index], shapes[index]) }
        try session.forward(ForwardArguments(input: views[7], outputs: views))
        let results = zip(shapes, outputs).map { shape, output in
            Images(shape.n, shape.c, shape.h, shape.w) { n, c, y, x in
                Double(output[((n * shape.c + c) * shape.h + y) * shape.w + x])
            }
        }
        return (results, session)
    }

    private static func image(_ count: Int, _ height: Int, _ width: Int) -> Images {
        var generator = SplitMix(state: 17)
        return Images(count, 3, height, width) { _, _, _, _ in Double(generator.next()) }
    }

    private func expectClose(_ actual: [Images], _ expected: [Images], _ what: String) {
        #expect(actual.count == expected.count)
        for (actual, expected) in zip(actual, expected) {
            #expect(
                (actual.channels, actual.height, actual.width) == (expected.channels, expected.height, expected.width))
            let largest = expected.values.map(abs).max() ?? 0
            // What nobody has written is NaN, which is close to nothing.
            let far = zip(actual.values, expected.values).first { !(abs($0 - $1) <= 1e-5 * largest) }
            #expect(far == nil && largest > 0, "\(what): of \(largest)")
        }
    }

    @Test(arguments: Case.allCases, [(2, 21, 34), (1, 5, 6)])
    func everyNodeIsComputed(_ testCase: Case, size: (Int, Int, Int)) throws {
        let image = Self.image(size.0, size.1, size.2)
        for table in [KernelTable.reference, try KernelTable.best()] {
            for trains in [false, true] {
                var network = try Self.network(testCase)
                network.setTraining(trains)
                let interpreter = GraphInterpreter(network, image, trains: trains)
                let expected = (0..<network.graph.outputs.count).map {
                    interpreter.results[network.graph.outputs[$0].node]
                }
                for cachedFloats in [Int.max, 2000] {
                    var same = try Self.network(testCase)
                    same.setTraining(trains)
                    let (actual, session) = try Self.compute(same, image, table, cachedFloats: cachedFloats)
                    defer { session.destroy() }
                    expectClose(actual, expected, "\(testCase), training \(trains)")
                    try expectStatistics(session, interpreter, pixels: size.0)
                }
            }
        }
    }

    /// In training, running statistics have taken those of the batch in; in evaluation they are what they were.
    private func expectStatistics(_ session: Session, _ interpreter: GraphInterpreter, pixels count: Int) throws {
        try session.reading { network throws(BackboneError) in
            for (index, before) in interpreter.running {
                let batch = interpreter.batch[index]
                let counter = network.graph.entry(.batchesTracked, ofNode: index)
                #expect(counter.map { network.counters[$0.valueOffset] } == (batch == nil ? 0 : 1))
                let input = interpreter.results[network.graph.nodes[index].input]
                let values = Double(count * input.height * input.width)
                let mean = network.values(.runningMean, ofNode: index)
                let variance = network.values(.runningVar, ofNode: index)
                for channel in 0..<input.channels {
                    guard let batch else {
                        #expect(Double(mean[channel]) == before.mean[channel])
                        #expect(Double(variance[channel]) == before.variance[channel])
                        continue
                    }
                    let expected = 0.9 * before.mean[channel] + 0.1 * batch.mean[channel]
                    #expect(abs(Double(mean[channel]) - expected) < 1e-5 * max(1, abs(expected)))
                    let unbiased = batch.variance[channel] * values / (values - 1)
                    let wanted = 0.9 * before.variance[channel] + 0.1 * unbiased
                    #expect(abs(Double(variance[channel]) - wanted) < 1e-5 * max(1, wanted))
                }
            }
        }
    }
}
