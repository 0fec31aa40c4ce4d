// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension ResidualNetwork {
    /// Scales the channels of a branch by a gate's function of their means; the branch itself without a gate.
    mutating func addGate(_ branch: Int, _ width: BlockWidth) throws(BackboneError) -> Int {
        if architecture.attention == .none { return branch }
        var gate = try graph.globalPooling(branch)
        if architecture.attention == .efficient {
            guard width.gate % 2 == 1 else {
                throw BackboneError(.invalidArgument, "attention: ECA's size is \(width.gate), expected an odd number")
            }
            gate = try graph.channelConvolution("se.conv", gate, size: width.gate)
        } else {
            gate = try graph.convolution("se.fc1", gate, to: max(width.gate, 1), Window(size: 1), hasBias: true)
            gate = try graph.activation(.relu, gate)
            gate = try graph.convolution("se.fc2", gate, to: width.output, Window(size: 1), hasBias: true)
        }
        return try graph.channelScale(branch, by: try graph.activation(.sigmoid, gate))
    }
}
