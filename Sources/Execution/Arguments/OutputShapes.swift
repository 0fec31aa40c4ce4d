// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Networks
import Runtime

extension Network {
    /// The shape of an output for an input accepted by `checkInputShape` has let pass.
    package borrowing func outputShape(_ index: Int, input: Dimensions) -> Dimensions {
        let shape = graph.shape(ofOutput: index, height: input.h, width: input.w)
        return Dimensions(input.n, shape.channels, shape.height, shape.width)
    }

    /// - Throws: `invalidArgument` for an input that the network does not accept.
    package borrowing func checkInputShape(_ shape: Dimensions) throws(BackboneError) {
        guard shape.n >= 0 else {
            throw BackboneError(.invalidArgument, "input.shape \(dimensions: shape): N must not be negative")
        }
        guard shape.c == graph.inputChannels else {
            throw BackboneError(
                .invalidArgument,
                "input.shape \(dimensions: shape): C is \(shape.c), expected \(graph.inputChannels) (in_channels)"
            )
        }
        // No memory holds more rows or columns, and sums of a few sizes stay far from overflow.
        let limit = 1 << 40
        guard shape.h >= 1 && shape.w >= 1 && shape.h <= limit && shape.w <= limit else {
            throw BackboneError(.invalidArgument, "input.shape \(dimensions: shape): H and W must be 1 to \(limit)")
        }
        for index in 0..<graph.outputs.count {
            let output = outputShape(index, input: shape)
            guard output.h > 0 && output.w > 0 else {
                throw BackboneError(
                    .invalidArgument,
                    """
                    input.shape \(dimensions: shape): H and W are too small for the poolings before \
                    \(graph.outputs[index].name)
                    """
                )
            }
        }
    }
    /// - Throws: `invalidArgument` for an input for which the terms of a sum would differ in size, as a forward pass
    ///   would: pooling and striding round sizes that are odd in their own ways.
    package borrowing func checkSums(_ shape: Dimensions) throws(BackboneError) {
        // A segment reads only the last node before it.
        var (last, height, width) = (0, shape.h, shape.w)
        for index in 1..<graph.nodes.count {
            let node = graph.nodes[index]
            if node.segment != graph.nodes[last + 1].segment {
                let size = size(of: index - 1, from: last, height, width)
                (last, height, width) = (index - 1, size.height, size.width)
            }
            guard case .add = node.operation, let second = node.secondInput else { continue }
            let branch = size(of: node.input, from: last, height, width)
            let shortcut = size(of: second, from: last, height, width)
            if branch != shortcut { throw BackboneError.unequalTerms(branch, shortcut) }
        }
    }

    /// The rows and columns of a node's result, from those of an earlier node that it depends on.
    private func size(
        of node: Int, from first: Int, _ height: Int, _ width: Int
    ) -> (height: Int, width: Int) {
        if node <= first { return (height, width) }
        let size = size(of: graph.nodes[node].input, from: first, height, width)
        guard let window = graph.nodes[node].operation.window else { return size }
        return (window.outputSize(size.height), window.outputSize(size.width))
    }
}

extension BackboneError {
    /// The error for a network whose branches and shortcuts round sizes differently; PyTorch refuses such sizes too.
    static func unequalTerms(_ branch: (Int, Int), _ shortcut: (Int, Int)) -> BackboneError {
        BackboneError(
            .invalidArgument,
            """
            input.shape: a branch of \(branch.0) x \(branch.1) and a shortcut of \(shortcut.0) x \(shortcut.1) pixels \
            cannot be added; multiples of 32 for H and W always fit
            """)
    }
}
