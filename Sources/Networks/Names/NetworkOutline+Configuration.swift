// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension NetworkOutline {
    /// The network itself, up to its deepest stage. A load reports missing or unsupported parts.
    ///
    /// - Throws: `badCheckpoint` if it is not supported.
    package func configuration() throws(BackboneError) -> Configuration {
        if isPreactivation == true && !hasFirstNorms {
            throw BackboneError(
                .badCheckpoint,
                "not a ResNet: its blocks are in stages, as in pre-activation networks, but have no norm1")
        }
        // A file without any part of a ResNet is compared with the usual one, for the reasons that a load gives.
        guard let architecture = deepest == 0 ? .usual : architecture else {
            try checkStem()
            throw BackboneError(
                .badCheckpoint,
                """
                expected the blocks of a whole ResNet, or some that only one has, but its layer1 to layer4 have \
                \(stages[0].blockCount), \(stages[1].blockCount), \(stages[2].blockCount) and \(stages[3].blockCount) \
                \(hasBottlenecks ? Architecture.Block.bottleneck.plural : Architecture.Block.basic.plural)
                """)
        }
        if deepest == 0 && (stem.isKnown || stem.isDeep) {
            throw BackboneError(
                .badCheckpoint, "it has a stem but no blocks, so its depth is unknown; name the architecture")
        }
        try checkStandardisation(architecture)
        return try configuration(architecture)
    }

    /// The same for an architecture that the caller named.
    package func configuration(_ architecture: Architecture) throws(BackboneError) -> Configuration {
        let base = architecture.isCustom ? customWidth : baseChannels(architecture)
        let configuration: Configuration
        do throws(BackboneError) {
            configuration = try Configuration(
                architecture, inChannels: inputChannels ?? 3, baseChannels: Int32(base ?? 64),
                outStages: deepest == 0 ? OutputSet.stages : UInt32(1) << UInt32(deepest) - 1,
                classes: knownClasses, normEval: 0, zeroInitResidual: 0)
        } catch {
            throw BackboneError(.badCheckpoint, "its stem or head is not supported: \(error.message)")
        }
        // A short file may describe an enormous network, or one of parts that do not fit together.
        if architecture.isCustom || architecture.norm == .group { try configuration.checkDescribed(BlockWidths()) }
        return configuration
    }

    /// Classes of the head; 0 without a head, or for one with too many classes: nobody may want it.
    private var knownClasses: Int32 {
        guard let classes, classes <= Int64(Configuration.maximumClasses) else { return 0 }
        return Int32(classes)
    }

    /// The stem may be the reason why nothing fits.
    private func checkStem() throws(BackboneError) {
        guard stem.isKnown && stem.widths.2 > Int64(Configuration.maximumBaseChannels) else { return }
        throw BackboneError(
            .badCheckpoint,
            """
            its stem is not supported: base_channels is \(stem.widths.2), expected 1 to \
            \(Configuration.maximumBaseChannels)
            """)
    }

    /// `base_channels` of the file's network; nil without a stem.
    package func stemChannels(of architecture: Architecture?) -> Int? {
        guard stem.isKnown else { return nil }
        guard let architecture else { return customWidth }
        return architecture.isCustom ? customWidth : baseChannels(architecture)
    }

    /// Channels of the image; nil without a stem.
    package var inputChannels: Int32? { stem.inputs > 0 ? Int32(clamping: stem.inputs) : nil }

    private var hasBottlenecks: Bool {
        for stage in 0..<Architecture.mostStages where stages[stage].hasThird { return true }
        return false
    }

    /// Big Transfer's networks (Kolesnikov et al. 2019, arXiv:1912.11370) have GroupNorm and a stem of one convolution, and
    /// their names are those of networks without standardised weights.
    private func checkStandardisation(_ architecture: Architecture) throws(BackboneError) {
        guard architecture.isPreactivation && architecture.norm == .group && !architecture.stem.isDeep else { return }
        throw BackboneError(
            .badCheckpoint,
            """
            pre-activation network with GroupNorm and a stem of one convolution, like BiT, which standardises the \
            weights of its convolutions: not supported
            """)
    }
}

extension Configuration {
    /// Checks the network that a file describes.
    ///
    /// - Throws: `badCheckpoint` if it is not supported.
    package func checkDescribed(_ widths: borrowing BlockWidths) throws(BackboneError) {
        let count: Int
        do throws(BackboneError) {
            count = try makeGraph(widths).valueCount
        } catch {
            guard error.kind == .invalidArgument else { throw error }
            throw BackboneError(.badCheckpoint, "its network is not supported: \(error.message)")
        }
        guard count <= Self.mostDescribedValues else {
            throw BackboneError(
                .badCheckpoint,
                "it describes a network of \(count) values, expected at most \(Self.mostDescribedValues)")
        }
    }

    /// Limit of floats for a network outside of the table: more than known ones have, and 4 GiB.
    private static var mostDescribedValues: Int { 1 << 30 }
}
