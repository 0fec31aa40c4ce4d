// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// The arguments of a backward pass.
package struct BackwardArguments {
    /// The gradients of the outputs; those without data are zero.
    package let outputGradients: OutputViews
    /// Receive the gradients with respect to outputs: the caller's plus those from later outputs. Tensors without data
    /// are not wanted; nil if none is.
    package let featureGradients: OutputViews?
    /// Receives the gradient of the image; nil if it is not wanted.
    package let inputGradient: TensorView?
    /// Receives the gradients of all trainable entries, in the order of `TrainableCursor`; nil if they are not wanted.
    package let gradients: UnsafeMutablePointer<Float>?
    /// Whether they are added to the values in memory.
    package let accumulates: Bool

    package init(
        outputGradients: OutputViews, featureGradients: OutputViews? = nil, inputGradient: TensorView?,
        gradients: UnsafeMutablePointer<Float>?, accumulates: Bool
    ) {
        self.outputGradients = outputGradients
        self.featureGradients = featureGradients
        self.inputGradient = inputGradient
        self.gradients = gradients
        self.accumulates = accumulates
    }
}

/// The progress of a backward pass.
struct BackwardState {
    /// Nil while memory is measured: then all gradients count as given and wanted.
    let arguments: BackwardArguments?
    /// Whether a gradient has been written to each tensor.
    private let isSet: UnsafeMutablePointer<Bool>?
    /// Offset of the gradient of each entry of the graph, -1 if it is not trained; and whether it has been written.
    private let offsets: UnsafePointer<Int>?
    private let isWritten: UnsafeMutablePointer<Bool>?
    /// Gradients with respect to outputs that are still to be written.
    var featuresLeft = 0

    static var measuring: BackwardState {
        BackwardState(arguments: nil, isSet: nil, offsets: nil, isWritten: nil)
    }

    init(
        arguments: BackwardArguments?, isSet: UnsafeMutablePointer<Bool>?, offsets: UnsafePointer<Int>?,
        isWritten: UnsafeMutablePointer<Bool>?
    ) {
        self.arguments = arguments
        self.isSet = isSet
        self.offsets = offsets
        self.isWritten = isWritten
        guard let views = arguments?.featureGradients else { return }
        for index in 0..<views.count where views[index].data != nil { featuresLeft += 1 }
    }

    /// Whether the caller needs nothing more.
    var isDone: Bool {
        guard let arguments, arguments.featureGradients != nil else { return false }
        return featuresLeft == 0 && arguments.gradients == nil && arguments.inputGradient == nil
    }

    /// Whether a tensor has a gradient yet.
    func has(_ tensor: Int) -> Bool { isSet?[tensor] ?? true }

    func set(_ tensor: Int) { isSet?[tensor] = true }

    /// The caller's gradient of an output; nil for zero.
    func outputGradient(_ output: Int) -> TensorView? {
        guard let view = arguments?.outputGradients[output], view.data != nil else { return nil }
        return view
    }

    /// The destination of the gradient with respect to an output; nil if it is not wanted.
    func featureGradient(_ output: Int) -> TensorView? {
        guard let view = arguments?.featureGradients?[output], view.data != nil else { return nil }
        return view
    }

    /// Whether the gradient of an entry is wanted.
    func wants(_ role: StateEntry.Role, ofNode node: Int, _ graph: borrowing Graph) -> Bool {
        guard let arguments, let offsets else { return true }
        guard arguments.gradients != nil, let index = graph.entryIndex(role, ofNode: node) else { return false }
        return offsets[index] >= 0
    }

    /// The place of an entry's gradient, and whether it is added to the value in memory; nil if it is not wanted.
    func slot(
        _ role: StateEntry.Role, ofNode node: Int, _ graph: borrowing Graph
    ) -> (start: UnsafeMutablePointer<Float>, accumulates: Bool)? {
        guard let arguments, let offsets, let isWritten, let gradients = arguments.gradients,
            let index = graph.entryIndex(role, ofNode: node), offsets[index] >= 0
        else { return nil }
        defer { isWritten[index] = true }
        return (gradients + offsets[index], arguments.accumulates || isWritten[index])
    }

    /// The same for a gradient that is always added to: zero at first, unless gradients accumulate.
    func sum(
        _ role: StateEntry.Role, ofNode node: Int, _ graph: borrowing Graph
    ) -> UnsafeMutablePointer<Float>? {
        guard let slot = slot(role, ofNode: node, graph), let entry = graph.entry(role, ofNode: node) else {
            return nil
        }
        if !slot.accumulates { slot.start.update(repeating: 0, count: entry.elementCount) }
        return slot.start
    }

    /// Sets gradients without any contribution to zero.
    func clearRest(_ graph: borrowing Graph) {
        guard let arguments, let offsets, let isWritten, let gradients = arguments.gradients, !arguments.accumulates
        else { return }
        for index in 0..<graph.entries.count where offsets[index] >= 0 && !isWritten[index] {
            (gradients + offsets[index]).update(repeating: 0, count: graph.entries[index].elementCount)
        }
    }
}
