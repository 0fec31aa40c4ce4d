// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Networks
import Runtime

extension LoadReport {
    /// Reports the properties of a network that neither names nor shapes of its file record.
    ///
    /// - Parameter isNamed: Whether the caller named the network, and so knows its norms.
    mutating func setAssumptions(_ configuration: Configuration, isNamed: Bool) throws(BackboneError) {
        let architecture = configuration.architecture
        if architecture.isCustom {
            // Names and the first blocks may be those of a named network.
            try set(.architecture, "\(architecture.cName)")
            try set(.depth, "")
        }
        let dilation: StaticString = configuration.dilation.stages == 0 ? "no dilation" : "dilation as requested"
        let smoothing: StaticString =
            switch architecture.antiAliasing {
            case .none: "no anti-aliasing"
            case .blur: "anti-aliasing by blurring"
            case .average: "anti-aliasing by averaging"
            }
        var text: Message = "\(dilation), \(smoothing), activation relu"
        if architecture.hasStyles { text = "style \(configuration.style.name), \(text)" }
        switch architecture.shortcut {
        case .subsample: text = "\(text), shortcuts that subsample"
        case .none: text = "\(text), no shortcuts"
        case .average where architecture.isPreactivation: text = "\(text), shortcuts that average"
        case .projection where architecture.isPreactivation: text = "\(text), shortcuts that do not average"
        case .projection, .average, .everywhere, .wide: break
        }
        switch architecture.pooling {
        case .max: text = "\(text), max pooling after the stem"
        case .none: text = "\(text), no pooling after the stem"
        case .convolution: break
        }
        if architecture.norm == .group { text = "\(text), GroupNorm of 32 groups and unchanged weights" }
        try set(.assumed, text)
        guard architecture.norm == .group && !isNamed else { return }
        try warn(
            """
            its norms have no running statistics and were loaded as GroupNorms, but a file may lack those of \
            BatchNorms; set architecture to decide
            """)
    }
}
