// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Runtime
import Training

private let versions = VersionedStruct(
    name: "backbone_optimizer_options", firstSize: 80, size: MemoryLayout<backbone_optimizer_options>.size)

@_cdecl("backbone_optimizer_options_init") @implementation
public func backbone_optimizer_options_init(
    _ options: UnsafeMutablePointer<backbone_optimizer_options>!, _ struct_size: Int, _ kind: Int32
) -> backbone_status {
    status { () throws(BackboneError) in
        let options = try require(options, "options")
        try versions.check(size: struct_size)
        var defaults = backbone_optimizer_options(try optimizerKind(kind))
        versions.write(&defaults, to: options, size: struct_size)
    }
}

private func optimizerKind(_ value: Int32) throws(BackboneError) -> OptimizerOptions.Kind {
    switch Int(value) {
    case Int(BACKBONE_OPTIMIZER_SGD): .sgd
    case Int(BACKBONE_OPTIMIZER_ADAMW): .adamW
    default: throw BackboneError(.invalidArgument, "kind is \(value), expected 0 (SGD) or 1 (AdamW)")
    }
}

extension backbone_optimizer_options {
    /// The defaults of a kind.
    fileprivate init(_ kind: OptimizerOptions.Kind) {
        let defaults = OptimizerOptions(kind)
        self.init()
        self.kind = Int32(kind == .sgd ? BACKBONE_OPTIMIZER_SGD : BACKBONE_OPTIMIZER_ADAMW)
        nesterov = defaults.isNesterov ? 1 : 0
        momentum = defaults.momentum
        dampening = defaults.dampening
        beta1 = defaults.beta1
        beta2 = defaults.beta2
        epsilon = defaults.epsilon
        weight_decay = defaults.weightDecay
    }
}

extension OptimizerOptions {
    /// - Parameter options: nil for the defaults of SGD.
    init(_ options: UnsafePointer<backbone_optimizer_options>?) throws(BackboneError) {
        self.init(.sgd)
        guard let options else { return }
        var own = backbone_optimizer_options(.sgd)
        try versions.read(options, into: &own)
        kind = try optimizerKind(own.kind)
        isNesterov = try requireFlag(own.nesterov, "nesterov")
        guard own.reserved == 0 else {
            throw BackboneError(.invalidArgument, "optimizer_options.reserved is \(own.reserved), expected 0")
        }
        momentum = own.momentum
        dampening = own.dampening
        beta1 = own.beta1
        beta2 = own.beta2
        epsilon = own.epsilon
        weightDecay = own.weight_decay
        try appendGroups(own.groups, own.group_count)
    }

    private mutating func appendGroups(
        _ list: UnsafePointer<backbone_parameter_group>?, _ count: Int
    ) throws(BackboneError) {
        guard count != 0 else { return }
        guard count > 0 && count <= OptimizerOptions.mostGroups else {
            throw BackboneError(
                .invalidArgument,
                "group_count is \(UInt64(UInt(bitPattern: count))), expected at most \(OptimizerOptions.mostGroups)")
        }
        let list = try require(list, "groups")
        for index in 0..<count {
            let group = list[index]
            guard group.reserved == 0 else {
                throw BackboneError(
                    .invalidArgument, "groups[\(index)].reserved is \(group.reserved), expected 0")
            }
            try groups.append(
                prefix: group.prefix.map { bytes(ofCString: $0) }, kinds: group.kinds,
                rateFactor: group.learning_rate_factor, weightDecay: group.weight_decay)
        }
    }

    /// More than any network has parameters.
    private static var mostGroups: Int { 65536 }
}
