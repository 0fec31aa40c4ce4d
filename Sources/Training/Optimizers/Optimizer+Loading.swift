// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Networks
import Runtime

/// The state of an optimiser read from a file, before it replaces the present one.
package struct LoadedOptimizerState: ~Copyable {
    let state: OptimizerState
    let layoutID: UInt64
    /// One line: how positions in the file were matched, and which parameters have no state.
    package let note: Message
    /// Reasons to doubt that training continues unchanged.
    package let warnings: UniqueArray<Message>

    func describe(in report: inout LoadReport) throws(BackboneError) {
        try report.set(.optimizer, note)
        for index in 0..<warnings.count { try report.warn(warnings[index]) }
    }
}

extension Optimizer {
    /// Reads a file's state for the parameters that are trainable now. Parameters without state begin at their next
    /// gradient, and the state of frozen ones is skipped. Neither the optimiser nor the network changes.
    ///
    /// Learning rates and other options in the file are ignored, since the caller passes its own: differences are a warning.
    ///
    /// - Throws: `stale`; `mismatch` if the parameters are not those of the network, or the optimiser is of another
    ///   kind; `badCheckpoint` and other errors of reading.
    package func readState(
        from file: borrowing OptimizerDict, for network: borrowing Network, layoutID: UInt64,
        pool: borrowing ThreadPool
    ) throws(BackboneError) -> LoadedOptimizerState {
        try checkLayout(network, layoutID)
        do throws(BackboneError) {
            let order = try match(file, network)
            var reading = try OptimizerReading(network, options)
            try reading.read(file, order, pool)
            let warnings = try options.differences(from: file, order, network.graph)
            return try reading.finish(order, network.graph, layoutID, warnings)
        } catch {
            throw file.located(error)
        }
    }

    /// - Throws: `stale` if other entries became trainable after the state was read.
    package func check(
        _ loaded: borrowing LoadedOptimizerState, _ network: borrowing Network, layoutID: UInt64
    ) throws(BackboneError) {
        try checkLayout(network, layoutID)
        guard loaded.layoutID == layoutID else {
            throw BackboneError(.stale, "the optimizer state was read for other trainable parameters; read it again")
        }
    }

    /// Replaces the present state by one that was read and checked.
    package mutating func adopt(_ loaded: consuming LoadedOptimizerState) { state = loaded.state }

    /// The order of parameters that fits a file's state, by counts and shapes.
    private func match(
        _ file: borrowing OptimizerDict, _ network: borrowing Network
    ) throws(BackboneError) -> ParameterOrder {
        var misfit: BackboneError?
        for number in 0..<ParameterOrder.Kind.count {
            let order = try ParameterOrder(ParameterOrder.Kind[number], network, options)
            guard order.hasCounts(of: file) else { continue }
            let error = try firstMisfit(order, file, network)
            guard let error else { return order }
            if misfit == nil { misfit = error }
        }
        if let misfit { throw misfit }
        let all = try TrainableLayout(ofAllParametersOf: network).slots.count
        throw BackboneError(
            .mismatch,
            """
            its optimizer state is for \(file.entries.count) parameters in \(file.groups.count) groups, but the network has \
            \(all), of which \(state.layout.slots.count) are trainable; use the groups that the file was saved with
            """)
    }

    /// The error of the first tensor that does not have the shape of its parameter; nil if all have.
    private func firstMisfit(
        _ order: borrowing ParameterOrder, _ file: borrowing OptimizerDict, _ network: borrowing Network
    ) throws(BackboneError) -> BackboneError? {
        let keys: [3 of StaticString] = ["momentum_buffer", "exp_avg", "exp_avg_sq"]
        for position in 0..<order.entries.count {
            let entry = order.entries[position]
            for index in keys.indices {
                let key = keys[index]
                guard let tensor = try file.find(position, key), file.tensors.dtype(tensor) != nil else { continue }
                let (shape, expected) = (file.tensors.shape(tensor), network.graph.shape(ofEntry: entry))
                if areEqual(shape, expected) { continue }
                let name = network.graph.name(of: network.graph.entries[entry])
                return BackboneError(
                    .mismatch,
                    """
                    the \(key) of parameter \(position) of its optimizer state has shape \(shape: shape), expected \
                    \(shape: expected), that of '\(name)'
                    """)
            }
        }
        return nil
    }

    private func areEqual(_ a: UnsafeBufferPointer<Int64>, _ b: UnsafeBufferPointer<Int64>) -> Bool {
        guard a.count == b.count else { return false }
        for axis in 0..<a.count where a[axis] != b[axis] { return false }
        return true
    }
}
