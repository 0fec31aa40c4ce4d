// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The convolution that reads the image, and the BatchNorm after it: they show which inputs a network was trained for.
package struct Stem: BitwiseCopyable {
    package let convolution: Convolution
    package let weight: StateEntry
    package let normWeight: StateEntry
    package let runningVar: StateEntry
    /// Epsilon of the norm.
    package let epsilon: Double
    /// The nodes of the convolution and of the norm.
    private let nodes: (Int, Int)

    fileprivate init?(_ graph: borrowing Graph, node: Int, norm: Int) {
        guard case .convolution(let convolution) = graph.nodes[node].operation,
            case .batchNorm(let definition) = graph.nodes[norm].operation,
            let weight = graph.entry(.weight, ofNode: node), let normWeight = graph.entry(.weight, ofNode: norm),
            let runningVar = graph.entry(.runningVar, ofNode: norm)
        else { return nil }
        self.convolution = convolution
        self.weight = weight
        self.normWeight = normWeight
        self.runningVar = runningVar
        epsilon = definition.epsilon
        nodes = (node, norm)
    }

    /// Whether an entry belongs to it.
    package func contains(_ entry: StateEntry) -> Bool { entry.node == nodes.0 || entry.node == nodes.1 }

    /// Floats of a network up to the last of its entries.
    package var valueEnd: Int { runningVar.valueOffset + runningVar.elementCount }
}

extension Graph {
    /// Nil for a network that does not begin with a convolution and a BatchNorm.
    package var stem: Stem? {
        for node in 1..<nodes.count where nodes[node].input == 0 {
            for norm in node + 1..<nodes.count where nodes[norm].input == node {
                return Stem(self, node: node, norm: norm)
            }
        }
        return nil
    }

    /// The convolution that an entry is the weight of, if it reads the image: its input channels are the image's.
    package func imageConvolution(_ entry: StateEntry) -> Convolution? {
        guard entry.role == .weight, nodes[entry.node].input == 0,
            case .convolution(let convolution) = nodes[entry.node].operation
        else { return nil }
        return convolution
    }

    /// Whether all parts of the stem that a forward pass in evaluation mode uses were loaded.
    package func hasStem(_ isLoaded: borrowing UniqueArray<Bool>) -> Bool {
        guard let stem else { return false }
        for index in 0..<entries.count where stem.contains(entries[index]) {
            if entries[index].role != .batchesTracked && !isLoaded[index] { return false }
        }
        return true
    }
}
