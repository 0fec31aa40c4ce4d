// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

// Passes for the statistics of BatchNorms alone.
extension Session {
    /// Adds the statistics of a batch of images to the collected ones.
    ///
    /// - Throws: `invalidArgument`, `outOfMemory`, `cancelled`; nothing has changed then.
    package func addStatistics(_ input: TensorView, _ cancellation: Cancellation) throws(BackboneError) {
        let arguments = try statisticsArguments(input)
        try lockExclusive(cancellation)
        defer { unlock() }
        try network.pointee.requireCollected()
        try network.pointee.requireValues(cancellation)
        network.pointee.isCollecting = true
        defer { network.pointee.isCollecting = false }
        let plan = try takePlan(for: input.shape)
        defer { giveBack(plan) }
        try withEngine { engine throws(BackboneError) in
            try engine.pointee.prepare(plan, for: network, cancellation)
        }
        try run(plan, on: arguments, times: nil, cancellation)
    }

    /// Outputs of the right shapes, to which nothing is written.
    private func statisticsArguments(_ input: TensorView) throws(BackboneError) -> ForwardArguments {
        try network.pointee.checkInputShape(input.shape)
        guard input.shape.n > 0 else {
            throw BackboneError(.invalidArgument, "input.shape \(dimensions: input.shape): N must be 1 or more")
        }
        var outputs = OutputViews(repeating: input)
        for index in 0..<network.pointee.graph.outputs.count {
            outputs[index] = TensorView(
                data: UnsafeMutableRawPointer(bitPattern: Heap.alignment), element: .float32,
                shape: network.pointee.outputShape(index, input: input.shape), strides: Dimensions(0, 0, 0, 0))
        }
        try input.checkAddresses("input")
        return ForwardArguments(input: input, outputs: outputs)
    }
}
