// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Networks
import Runtime

/// The nodes of a graph that a program computes: all of them, those before some node, or those after it.
package struct GraphPart {
    /// What is computed. The node before them is given; nothing else before them is read.
    let nodes: Range<Int>
    /// Whether the last node's result is an output too, after those of the graph.
    let keepsLast: Bool
    /// Whether the input of each function must be a result of its own, where its gradient is computed from that.
    let keepsInputs: Bool

    /// The whole graph.
    package static func all(of graph: borrowing Graph) -> GraphPart {
        GraphPart(nodes: 1..<graph.nodes.count, keepsLast: false, keepsInputs: false)
    }

    /// The nodes that come first, the last of which the rest reads.
    static func first(_ count: Int) -> GraphPart {
        GraphPart(nodes: 1..<count, keepsLast: true, keepsInputs: false)
    }

    /// The nodes after the first, to be trained.
    static func after(_ count: Int, of graph: borrowing Graph) -> GraphPart {
        GraphPart(nodes: count..<graph.nodes.count, keepsLast: false, keepsInputs: true)
    }

    /// The node that is given: the image, or what the part before has computed.
    var input: Int { nodes.lowerBound - 1 }

    /// The node whose result is an output too; nil for none.
    var keptNode: Int? { keepsLast ? nodes.upperBound - 1 : nil }
}
