// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Execution
import Kernels
import Networks
import Runtime

/// The session behind a handle.
func session(_ net: OpaquePointer?) throws(BackboneError) -> Session {
    Session(handle: try require(net, "net"))
}

private let maximumThreads: Int32 = 1024

@_cdecl("backbone_create") @implementation
public func backbone_create(
    _ options: UnsafePointer<backbone_options>!, _ out: UnsafeMutablePointer<OpaquePointer?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let out = try require(out, "out")
        out.pointee = nil
        let options = options == nil ? backbone_options.defaults : try backbone_options(options)
        out.pointee = try makeSession(options).handle
    }
}

/// Builds what options ask for.
func makeSession(_ options: backbone_options) throws(BackboneError) -> Session {
    let configuration = try Configuration(
        depth: options.depth, inChannels: options.in_channels, baseChannels: options.base_channels,
        outStages: options.out_stages, normEval: options.norm_eval, zeroInitResidual: options.zero_init_residual,
        style: options.style, normEpsilon: options.norm_eps)
    guard options.threads >= 0 && options.threads <= maximumThreads else {
        throw BackboneError(.invalidArgument, "threads is \(options.threads), expected 0 to \(maximumThreads)")
    }
    let reversed = Int32(BACKBONE_CHANNELS_REVERSED)
    guard options.channel_order == Int32(BACKBONE_CHANNELS_AS_GIVEN) || options.channel_order == reversed else {
        throw BackboneError(
            .invalidArgument, "channel_order is \(options.channel_order), expected 0 (as given) or 1 (reversed)")
    }
    let direct = Int32(BACKBONE_ARITHMETIC_DIRECT)
    guard options.arithmetic == Int32(BACKBONE_ARITHMETIC_FAST) || options.arithmetic == direct else {
        throw BackboneError(.invalidArgument, "arithmetic is \(options.arithmetic), expected 0 (fast) or 1 (direct)")
    }
    guard options.reserved == 0 else {
        throw BackboneError(.invalidArgument, "options.reserved is \(options.reserved), expected 0")
    }
    let normalizesAll = Int32(BACKBONE_NORMALIZE_ALL)
    guard options.normalization == Int32(BACKBONE_NORMALIZE_UINT8) || options.normalization == normalizesAll else {
        throw BackboneError(
            .invalidArgument, "normalization is \(options.normalization), expected 0 (uint8) or 1 (all)")
    }
    guard options.reserved2 == 0 else {
        throw BackboneError(.invalidArgument, "options.reserved2 is \(options.reserved2), expected 0")
    }
    var network = try Network(configuration)
    try network.freeze(options.frozen_stages)
    let normalization = try InputNormalization(
        channels: configuration.inChannels, mean: options.mean, standardDeviation: options.std_dev,
        reversesChannels: options.channel_order == reversed, includesFloats: options.normalization == normalizesAll)
    let kernels = try KernelTable.best()
    let planner = Planner(
        kernels: kernels.convolutions, isDirect: options.arithmetic == direct, blockCount: network.blocks.count)
    let engine = try Engine(
        threads: Int(options.threads), normalization: normalization, kernels: kernels, planner: planner)
    return try Session(network, engine)
}

@_cdecl("backbone_free") @implementation
public func backbone_free(_ net: OpaquePointer!) {
    guard let net else { return }
    Session(handle: net).destroy()
}

@_cdecl("backbone_get_options") @implementation
public func backbone_get_options(
    _ net: OpaquePointer!, _ out: UnsafeMutablePointer<backbone_options>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        let out = try require(out, "out")
        let size = Int(out.pointee.struct_size)
        try checkOptionsSize(size)
        let configuration = session.configuration
        var options = backbone_options.defaults
        options.depth = configuration.depth.rawValue
        options.in_channels = Int32(configuration.inChannels)
        options.base_channels = Int32(configuration.baseChannels)
        options.out_stages = configuration.outStages.bits
        options.frozen_stages = try session.reading { Int32($0.frozenStages) }
        options.norm_eval = configuration.normEval ? 1 : 0
        options.zero_init_residual = configuration.zeroInitResidual ? 1 : 0
        options.threads = Int32(session.threadCount)
        options.channel_order =
            Int32(session.reversesChannels ? BACKBONE_CHANNELS_REVERSED : BACKBONE_CHANNELS_AS_GIVEN)
        options.mean = session.means
        options.std_dev = session.standardDeviations
        options.arithmetic = Int32(session.isDirect ? BACKBONE_ARITHMETIC_DIRECT : BACKBONE_ARITHMETIC_FAST)
        options.style = configuration.style.rawValue
        options.norm_eps = Float(configuration.normEpsilon)
        options.normalization = Int32(session.normalizesFloats ? BACKBONE_NORMALIZE_ALL : BACKBONE_NORMALIZE_UINT8)
        options.write(to: out, size: size)
    }
}
