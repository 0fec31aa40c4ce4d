// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Testing

@testable import Kernels
@testable import Networks
@testable import Runtime
@testable import Training

/// The network of `Tests/Fixtures/generate_optimizers.py`: a stem, which can be frozen, a layer, and a head.
func makeNetwork(salt: Int = 0) throws -> Network {
    let configuration = try Configuration(
        depth: 18, inChannels: 2, baseChannels: 1, outStages: 1, normEval: 0, zeroInitResidual: 0)
    var builder = try GraphBuilder(imageChannels: 2)
    builder.beginSegment(freezeGroup: 0)
    var node = try builder.convolution("conv1", builder.image, to: 3, Window(size: 3, padding: 1))
    node = try builder.batchNorm("bn1", node, epsilon: 1e-5)
    builder.beginSegment(freezeGroup: 1)
    builder.path = "layer1."
    node = try builder.convolution("conv1", node, to: 4, Window(size: 1), hasBias: true)
    node = try builder.batchNorm("bn1", node, epsilon: 1e-5)
    builder.path = ""
    builder.beginSegment(freezeGroup: Node.headGroup)
    node = try builder.linear("fc", builder.globalPooling(node), to: 2)
    var network = try Network(configuration, builder.finish())
    try network.requireValues()
    let layout = try TrainableLayout(ofAllParametersOf: network)
    let values = formula(layout.count, salt: salt)
    for index in 0..<layout.slots.count {
        let slot = layout.slots[index]
        for element in 0..<slot.count {
            network.floats(of: network.graph.entries[slot.entry])[element] = values[slot.offset + element]
        }
    }
    return network
}

/// `values` of the generator.
func formula(_ count: Int, salt: Int) -> [Float] {
    (0..<count).map { index in
        let bits = (((index + 1) * 2_654_435_761 + salt * 40503 * 65537) % (1 << 32)) >> 16
        return Float(bits - 32768) / 32768 / Float(1 << (index % 7))
    }
}

func gradients(_ count: Int, step: Int) -> [Float] { formula(count, salt: 100 + step) }

/// All parameters in the order of the state dict.
func parameters(_ network: borrowing Network) throws -> [Float] {
    var values: [Float] = []
    for index in 0..<network.graph.entries.count where network.graph.entries[index].role.isParameter {
        let entry = network.graph.entries[index]
        values += UnsafeBufferPointer(start: network.floats(of: entry), count: entry.elementCount)
    }
    return values
}

func array(_ buffer: borrowing Buffer<Float>) -> [Float] {
    Array(UnsafeBufferPointer(start: buffer.start, count: buffer.count))
}

extension Optimizer {
    /// Steps with the generator's gradients.
    mutating func steps(_ numbers: Range<Int>, _ network: inout Network, threads: Int = 1) throws {
        let pool = try ThreadPool(threads: threads)
        for number in numbers {
            try step(
                &network, gradients: gradients(state.layout.count, step: number), count: state.layout.count,
                learningRate: 0.05, layoutID: layoutID, pool: pool)
        }
    }
}

extension OptimizerOptions {
    /// Options of some settings; `groups` are prefix, kinds, factor and decay.
    init(
        _ kind: Kind, groups list: [(prefix: String?, kinds: UInt32, factor: Double, decay: Double)] = [],
        _ change: (inout OptimizerOptions) -> Void = { _ in }
    ) throws {
        self.init(kind)
        for group in list { try groups.append(group.prefix, group.kinds, group.factor, group.decay) }
        change(&self)
    }
}

extension ParameterGroups {
    mutating func append(_ prefix: String?, _ kinds: UInt32, _ factor: Double, _ decay: Double) throws {
        guard var prefix else { return try append(prefix: nil, kinds: kinds, rateFactor: factor, weightDecay: decay) }
        try prefix.withUTF8 { try append(prefix: $0, kinds: kinds, rateFactor: factor, weightDecay: decay) }
    }
}

/// The kernels of every table that this CPU can run.
func allKernels() -> [OptimizerKernels] {
    [.reference, .portable] + (Ladder.detected..<Ladder.count).map { Ladder[$0].ownTable().optimizers }
}

/// Units in the last place between two numbers of the same sign.
func distance(_ a: Float, _ b: Float) -> Int {
    guard a.sign == b.sign else { return a == b ? 0 : .max }
    return abs(Int(a.bitPattern) - Int(b.bitPattern))
}

/// What `body` throws.
func failure(_ body: () throws -> Void) -> BackboneError? {
    do { try body() } catch { return error as? BackboneError }
    return nil
}

extension BackboneError {
    var text: String {
        var buffer = [CChar](repeating: 0, count: Message.capacity + 1)
        message.write(to: &buffer)
        return String(decoding: buffer.prefix(message.count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Where values do not have the expected bits; -1 if they are not as many.
func differences(_ values: [Float], _ expected: [UInt32]) -> [Int] {
    values.count != expected.count ? [-1] : values.indices.filter { values[$0].bitPattern != expected[$0] }
}
