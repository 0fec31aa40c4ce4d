// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// A pass over the frozen part of a network, as in evaluation mode, whose last result goes to a tape. It computes in
/// the unused memory of the tape.
struct PrefixRun {
    private let engine: UnsafeMutablePointer<Engine>
    private let network: UnsafeMutablePointer<Network>
    private let plan: UnsafePointer<Plan>
    private let arguments: ForwardArguments
    private let cancellation: Cancellation

    /// Packs the weights and takes a plan, which must be given back by `end`.
    init(
        _ engine: UnsafeMutablePointer<Engine>, _ network: UnsafeMutablePointer<Network>, _ arguments: ForwardArguments,
        _ cancellation: Cancellation
    ) throws(BackboneError) {
        self.engine = engine
        self.network = network
        self.arguments = arguments
        self.cancellation = cancellation
        plan = try engine.pointee.plans.take(
            engine.pointee.program, engine.pointee.planner, height: arguments.input.shape.h,
            width: arguments.input.shape.w, addsInPlace: true)
        do throws(BackboneError) {
            try engine.pointee.prepare(plan, for: network, cancellation)
        } catch {
            engine.pointee.plans.giveBack(plan)
            throw error
        }
    }

    func end() { engine.pointee.plans.giveBack(plan) }

    /// The size of the last result.
    var boundary: (height: Int, width: Int) {
        let last = plan.pointee.steps[plan.pointee.steps.count - 1]
        let tensor = plan.pointee.tensors[last.source.unsafelyUnwrapped]
        return (tensor.height, tensor.width)
    }

    /// Its memory.
    func size(to out: Activation) throws(BackboneError) -> WorkspaceSize {
        var pass = pass(to: out)
        return try pass.measuredSize(on: engine)
    }

    /// Computes the outputs of the frozen part, and the last result to the activations of a tape.
    func compute(to out: Activation, in memory: Workspace) throws(BackboneError) {
        var pass = pass(to: out)
        try pass.run(on: engine, in: memory)
    }

    private func pass(to out: Activation) -> Pass {
        var outputs = arguments.outputs
        outputs[network.pointee.graph.outputs.count] = TensorView(
            data: out.origin, element: .float32,
            shape: Dimensions(arguments.input.shape.n, out.channels, out.height, out.width),
            strides: Dimensions(out.imageStride, 1, out.rowStride, out.channels))
        return Pass(
            network: network, engine: engine, plan: plan,
            arguments: ForwardArguments(input: arguments.input, outputs: outputs), usesBatchStatistics: false,
            cancellation: cancellation)
    }
}
