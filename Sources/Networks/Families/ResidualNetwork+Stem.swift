// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension ResidualNetwork {
    /// The nodes before the first stage.
    mutating func addStem() throws(BackboneError) -> Int {
        var features = try addStemConvolutions()
        if !architecture.isPreactivation {
            features = try graph.activation(.relu, try addNorm("bn1", features))
        }
        if configuration.outputs.hasStem { try graph.output("C1", features) }
        guard configuration.deepestStage > 0 else { return features }
        return try addStemPooling(features)
    }

    private mutating func addStemConvolutions() throws(BackboneError) -> Int {
        let regular = architecture.stemWidths(baseChannels: configuration.baseChannels)
        let widths =
            self.widths.count < 2
            ? regular : StemWidths(first: Int(self.widths[0]), second: Int(self.widths[1]), last: regular.last)
        let isPreactivation = architecture.isPreactivation
        if isPreactivation { graph.path = "stem." }
        defer { graph.path = "" }
        switch architecture.stem {
        case .single, .small:
            let window =
                architecture.stem == .single ? Window(size: 7, stride: 2, padding: 3) : Window(size: 3, padding: 1)
            return try graph.convolution(isPreactivation ? "conv" : "conv1", graph.image, to: widths.last, window)
        case .deep, .tiered:
            if !isPreactivation { graph.path = "conv1." }
            let names: DeepStemNames =
                isPreactivation
                ? DeepStemNames(first: "conv1", firstNorm: "norm1", second: "conv2", secondNorm: "norm2", last: "conv3")
                : DeepStemNames(first: "0", firstNorm: "1", second: "3", secondNorm: "4", last: "6")
            var features = try graph.convolution(
                names.first, graph.image, to: widths.first, Window(size: 3, stride: 2, padding: 1))
            features = try graph.activation(.relu, try addNorm(names.firstNorm, features))
            features = try graph.convolution(names.second, features, to: widths.second, Window(size: 3, padding: 1))
            features = try graph.activation(.relu, try addNorm(names.secondNorm, features))
            return try graph.convolution(names.last, features, to: widths.last, Window(size: 3, padding: 1))
        }
    }

    private mutating func addStemPooling(_ input: Int) throws(BackboneError) -> Int {
        switch architecture.pooling {
        case .none: return input
        case .convolution:
            graph.path = "maxpool."
            defer { graph.path = "" }
            let features = try graph.convolution(
                "0", input, to: graph.channels(input), Window(size: 3, stride: 2, padding: 1))
            return try graph.activation(.relu, try addNorm("1", features))
        case .max:
            switch architecture.antiAliasing {
            case .none: return try graph.maxPooling("maxpool", input, Window(size: 3, stride: 2, padding: 1))
            case .blur:
                let features = try graph.maxPooling("maxpool", input, Window(size: 3, padding: 1))
                return try graph.blur(features, Window(size: 3, stride: 2, padding: 1))
            case .average: return try graph.averagePooling(input, Window(size: 2, stride: 2), countsPadding: false)
            }
        }
    }
}

/// The names of the modules of a deep stem.
private struct DeepStemNames {
    let first: StaticString
    let firstNorm: StaticString
    let second: StaticString
    let secondNorm: StaticString
    let last: StaticString
}
