// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Networks
import Runtime
import Testing

@testable import Execution

struct LoweringTests {
    private func program(_ build: (inout GraphBuilder) throws -> Void) throws -> Program {
        var builder = try GraphBuilder(imageChannels: 3)
        try build(&builder)
        return try Lowering.program(builder.finish())
    }

    private func convolutions(_ program: borrowing Program) -> [(step: ProgramStep, fused: FusedConvolution)] {
        (0..<program.steps.count).compactMap { index in
            guard let fused = program.steps[index].convolution else { return nil }
            return (program.steps[index], fused)
        }
    }

    /// The first of two convolutions of a sum computes it, in either order of terms, and the other one is computed
    /// before.
    @Test func theBranchTakesTheSum() throws {
        let program = try program { builder in
            let stem = try builder.convolution("a", builder.image, to: 8, Window(size: 3, padding: 1))
            let branch = try builder.batchNorm(
                "bn", try builder.convolution("b", stem, to: 8, Window(size: 3, padding: 1)), epsilon: 1e-5)
            let shortcut = try builder.convolution("c", stem, to: 8, Window(size: 1))
            try builder.output("x", try builder.activation(.relu, try builder.add(branch, shortcut)))
        }
        let list = convolutions(program)
        #expect(list.map(\.fused.node) == [1, 4, 2])
        #expect(
            list.map(\.fused.norm) == [nil, nil, 3] && list.map { $0.step.function == .relu } == [false, false, true])
        #expect(list[2].step.addend == 2 && list[2].step.source == 1)
        // The widest padding of those that read a result.
        #expect((0..<program.steps.count).map { program.steps[$0].border } == [1, 1, 0, 0, 0])
        #expect((0..<program.steps.count).map { program.steps[$0].lastReader } == [1, 3, 3, 4, -1])
    }

    /// What somebody else reads is not fused away.
    @Test func aResultThatIsReadTwiceStays() throws {
        let program = try program { builder in
            let first = try builder.convolution("a", builder.image, to: 8, Window(size: 1))
            let second = try builder.convolution("b", first, to: 8, Window(size: 1))
            let sum = try builder.add(second, first)
            try builder.output("sum", sum)
            try builder.output("last", try builder.convolution("c", sum, to: 4, Window(size: 1)))
        }
        #expect(convolutions(program).allSatisfy { $0.step.function == nil })
        #expect(convolutions(program)[1].step.addend == 1)
        let outputs = (0..<program.steps.count).filter {
            program.steps[$0].kind == .output
        }
        // Each directly after its source.
        #expect(outputs == [3, 5])
    }

    /// What cannot be part of another step is one of its own, and takes in what follows.
    @Test func nodesThatStandAlone() throws {
        func kinds(_ build: (inout GraphBuilder) throws -> Void) throws -> [StepKind] {
            let program = try program(build)
            return (0..<program.steps.count).map { program.steps[$0].kind }
        }
        #expect(try kinds { _ = try $0.batchNorm("bn", $0.image, epsilon: 1e-5) } == [.input, .normalization])
        #expect(try kinds { _ = try $0.activation(.silu, $0.image) } == [.input, .elementwise])
        // A ReLU of a ReLU, and a function that convolutions do not have.
        let functions = try kinds { builder in
            let node = try builder.convolution("a", builder.image, to: 8, Window(size: 1))
            let again = try builder.activation(.relu, try builder.activation(.relu, node))
            _ = try builder.activation(.sigmoid, try builder.convolution("b", again, to: 8, Window(size: 1)))
        }
        #expect(functions == [.input, .convolution, .elementwise, .convolution, .elementwise])
        // Both the norm and the sum read the convolution; the norm takes in the sum.
        let shared = try kinds { builder in
            let node = try builder.convolution("a", builder.image, to: 8, Window(size: 1))
            _ = try builder.add(try builder.batchNorm("bn", node, epsilon: 1e-5), node)
        }
        #expect(shared == [.input, .convolution, .normalization])
        // Squeeze and excitation: scale, sum and ReLU in one pass.
        let gated = try kinds { builder in
            let node = try builder.convolution("a", builder.image, to: 8, Window(size: 1))
            let gate = try builder.activation(
                .sigmoid, try builder.convolution("fc", try builder.globalPooling(node), to: 8, Window(size: 1)))
            let scaled = try builder.channelScale(node, by: gate)
            _ = try builder.activation(
                .relu, try builder.add(scaled, try builder.maxPooling("p", node, Window(size: 1))))
        }
        #expect(
            gated == [.input, .convolution, .globalPooling, .convolution, .elementwise, .maxPooling, .elementwise])
    }
}
