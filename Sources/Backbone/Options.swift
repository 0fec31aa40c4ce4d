// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Execution
import Loading
import Networks
import Runtime

private var versions: VersionedStruct {
    VersionedStruct(name: "backbone_options", firstSize: 56, size: MemoryLayout<backbone_options>.size)
}

extension backbone_options {
    static var defaults: backbone_options {
        let request = NetworkRequest()
        var options = backbone_options()
        options.struct_size = UInt32(MemoryLayout<backbone_options>.size)
        options.depth = request.depth
        options.in_channels = request.inChannels
        options.base_channels = request.baseChannels
        options.out_stages = request.outStages
        options.frozen_stages = request.frozenStages
        options.norm_eps = request.normEpsilon
        return options
    }

    /// The current options of a session.
    init(_ session: Session) {
        let configuration = session.configuration
        self = .defaults
        depth = configuration.architecture.depth
        architecture = configuration.architecture.cName
        in_channels = Int32(configuration.inChannels)
        base_channels = Int32(configuration.baseChannels)
        out_stages = configuration.outputs.bits
        frozen_stages = Int32(session.frozenStages)
        norm_eval = configuration.normEval ? 1 : 0
        zero_init_residual = configuration.zeroInitResidual ? 1 : 0
        threads = Int32(session.threadCount)
        channel_order = Int32(session.reversesChannels ? BACKBONE_CHANNELS_REVERSED : BACKBONE_CHANNELS_AS_GIVEN)
        mean = session.means
        std_dev = session.standardDeviations
        arithmetic = Int32(session.isDirect ? BACKBONE_ARITHMETIC_DIRECT : BACKBONE_ARITHMETIC_FAST)
        style = configuration.style.rawValue
        norm_eps = Float(configuration.normEpsilon)
        normalization = Int32(session.normalizesFloats ? BACKBONE_NORMALIZE_ALL : BACKBONE_NORMALIZE_UINT8)
        num_classes = Int32(configuration.classes)
        dilated_stages = configuration.dilation.stages
        dilation_rule = configuration.dilation.rule.rawValue
        // A name determines the rest.
        guard configuration.architecture.isCustom else { return }
        set(ArchitectureChoices(configuration.architecture, baseChannels: configuration.baseChannels))
        let widths = session.blockWidths
        block_widths = widths.baseAddress
        block_width_count = Int32(widths.count)
    }

    private mutating func set(_ choices: ArchitectureChoices) {
        let counts = choices.blockCounts
        block_counts = (counts[0], counts[1], counts[2], counts[3])
        block = choices.block
        groups = choices.groups
        width_per_group = choices.widthPerGroup
        stem = choices.stem
        stem_channels = choices.stemChannels
        stem_pooling = choices.stemPooling
        shortcut = choices.shortcut
        norm = choices.norm
        attention = choices.attention
        anti_aliasing = choices.antiAliasing
        preactivation = choices.preactivation
    }

    /// A caller's options, of an older or newer version of the struct than this one.
    init(_ pointer: UnsafePointer<backbone_options>) throws(BackboneError) {
        self = .defaults
        try versions.read(pointer, into: &self)
    }

    /// Whether a struct of some size has room for all fields that identify the network.
    func isHeld(bySize size: Int, _ configuration: Configuration) -> Bool {
        let architecture = configuration.architecture
        let hasOwnClasses = !configuration.outputs.hasLogits || configuration.classes == architecture.classes
        // Offsets never change; key paths, which would give them, do not exist in Embedded Swift.
        if architecture.isCustom || !hasOwnClasses || configuration.dilation.stages != 0 { return size >= 176 }
        return depth != 0 || size >= 88
    }

    /// Writes as many of these options to a caller's struct as fit into it.
    func write(to pointer: UnsafeMutablePointer<backbone_options>, size: Int) {
        var copy = self
        versions.write(&copy, to: pointer, size: size)
    }
}

extension NetworkRequest {
    /// The request of a caller's options; nil stands for the defaults.
    init(_ pointer: UnsafePointer<backbone_options>?) throws(BackboneError) {
        self.init()
        guard let pointer else { return }
        let options = try backbone_options(pointer)
        guard options.reserved == 0 else {
            throw BackboneError(.invalidArgument, "options.reserved is \(options.reserved), expected 0")
        }
        guard options.reserved2 == 0 else {
            throw BackboneError(.invalidArgument, "options.reserved2 is \(options.reserved2), expected 0")
        }
        depth = options.depth
        inChannels = options.in_channels
        baseChannels = options.base_channels
        outStages = options.out_stages
        frozenStages = options.frozen_stages
        normEval = options.norm_eval
        zeroInitResidual = options.zero_init_residual
        style = options.style
        normEpsilon = options.norm_eps
        threads = options.threads
        channelOrder = options.channel_order
        mean = UnsafePointer(options.mean)
        standardDeviation = UnsafePointer(options.std_dev)
        arithmetic = options.arithmetic
        normalization = options.normalization
        architecture = UnsafePointer(options.architecture)
        classes = options.num_classes
        outputStride = options.output_stride
        dilatedStages = options.dilated_stages
        dilationRule = options.dilation_rule
        choices = ArchitectureChoices(options)
        guard options.block_width_count >= 0, (options.block_widths != nil) == (options.block_width_count > 0) else {
            throw BackboneError(
                .invalidArgument,
                """
                block_width_count is \(options.block_width_count), but block_widths is \
                \(options.block_widths == nil ? "NULL" : "set" as StaticString); set both or neither
                """
            )
        }
        blockWidths = options.block_widths.map {
            UnsafeBufferPointer(start: $0, count: Int(options.block_width_count))
        }
    }
}

extension ArchitectureChoices {
    fileprivate init(_ options: backbone_options) {
        self.init()
        let counts = options.block_counts
        blockCounts = [counts.0, counts.1, counts.2, counts.3]
        block = options.block
        groups = options.groups
        widthPerGroup = options.width_per_group
        stem = options.stem
        stemChannels = options.stem_channels
        stemPooling = options.stem_pooling
        shortcut = options.shortcut
        norm = options.norm
        attention = options.attention
        antiAliasing = options.anti_aliasing
        preactivation = options.preactivation
    }
}

func checkOptionsSize(_ size: Int) throws(BackboneError) { try versions.check(size: size) }

@_cdecl("backbone_options_init") @implementation
public func backbone_options_init(
    _ options: UnsafeMutablePointer<backbone_options>!, _ struct_size: Int
) -> backbone_status {
    status { () throws(BackboneError) in
        let options = try require(options, "options")
        try checkOptionsSize(struct_size)
        backbone_options.defaults.write(to: options, size: struct_size)
    }
}
