// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Networks
import Runtime

/// The nodes of a graph that a program computes: all of them, those before some node, or those after it.
package struct GraphPart {
    /// The computed nodes. The node before them is given; nothing else before them is read.
    let nodes: Range<Int>
    /// Whether the last node's result is an output too, after those of the graph.
    let keepsLast: Bool
    /// Whether the input of each function must be a separate result, because its gradient is computed from it.
    let keepsInputs: Bool

    /// The whole graph.
    package static func all(of graph: borrowing Graph) -> GraphPart {
        GraphPart(nodes: 1..<graph.nodes.count, keepsLast: false, keepsInputs: false)
    }

    /// The first nodes, of which the rest reads only the last.
    static func first(_ count: Int) -> GraphPart {
        GraphPart(nodes: 1..<count, keepsLast: true, keepsInputs: false)
    }

    /// The nodes after the first, to be trained.
    static func after(_ count: Int, of graph: borrowing Graph) -> GraphPart {
        GraphPart(nodes: count..<graph.nodes.count, keepsLast: false, keepsInputs: true)
    }

    /// The given node: the image, or the result of the part before.
    var input: Int { nodes.lowerBound - 1 }

    /// The node whose result is an output too; nil for none.
    var keptNode: Int? { keepsLast ? nodes.upperBound - 1 : nil }
}
