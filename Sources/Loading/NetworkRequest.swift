// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Execution
import Kernels
import Networks
import Runtime

/// A caller's request for a network and its engine: unchecked numbers, which `makeSession` checks. Means and
/// deviations are borrowed for the time of the call.
package struct NetworkRequest {
    package var depth = Architecture.usual.depth
    /// The name of a network; zero-terminated, borrowed as well. Nil for that of `depth`.
    package var architecture: UnsafePointer<CChar>?
    /// The description of a file, instead of both.
    private var described: Architecture?
    package var inChannels: Int32 = 3
    package var baseChannels: Int32 = 64
    package var outStages = OutputSet.stages
    package var choices = ArchitectureChoices()
    /// The caller's `block_widths`, borrowed.
    package var blockWidths: UnsafeBufferPointer<Int32>?
    /// 0 for those of the architecture, or of a file's head.
    package var classes: Int32 = 0
    package var dilatedStages: UInt32 = 0
    package var outputStride: Int32 = 0
    package var dilationRule: Int32 = 0
    package var frozenStages: Int32 = -1
    package var normEval: Int32 = 0
    package var zeroInitResidual: Int32 = 0
    package var style = Style.pytorch.rawValue
    package var normEpsilon = BatchNorm.defaultEpsilon
    /// 0 for as many as the system allows this process.
    package var threads: Int32 = 0
    /// 0: as given, 1: reversed.
    package var channelOrder: Int32 = 0
    package var mean: UnsafePointer<Float>?
    package var standardDeviation: UnsafePointer<Float>?
    /// 0: fast, 1: direct.
    package var arithmetic: Int32 = 0
    /// 0: of uint8 inputs, 1: of all.
    package var normalization: Int32 = 0

    package init() {}

    private static var mostThreads: Int32 { 1024 }

    /// Creates a network and an engine.
    ///
    /// - Parameter widths: Of a file's network, if they do not follow the rules.
    /// - Throws: `invalidArgument` naming the option; `outOfMemory`; `io` if the portable kernels have no OpenBLAS.
    package func makeSession(widths: consuming BlockWidths = BlockWidths()) throws(BackboneError) -> Session {
        let configuration = try configuration()
        try checkChoices()
        if configuration.architecture.isCustom && !configuration.architecture.hasUsualWidths && widths.isEmpty {
            widths = try BlockWidths(regularOf: configuration)
        }
        if let blockWidths { widths = try BlockWidths(blockWidths, for: configuration.architecture) }
        var network = try Network(configuration, widths)
        try network.freeze(frozenStages)
        let normalization = try InputNormalization(
            channels: configuration.inChannels, mean: mean, standardDeviation: standardDeviation,
            reversesChannels: channelOrder == 1, includesFloats: normalization == 1)
        let kernels = try KernelTable.best()
        let planner = Planner(
            kernels: kernels.convolutions, isDirect: arithmetic == 1, segmentCount: 1 + configuration.blockCount)
        let engine = try Engine(
            network.graph, threads: Int(threads), normalization: normalization, kernels: kernels, planner: planner)
        return try Session(network, engine)
    }

    func configuration() throws(BackboneError) -> Configuration {
        let base: Architecture
        if let described { base = described } else { base = try Architecture(depth: depth, name: architecture) }
        var network = try choices.applied(to: base, baseChannels: baseChannels)
        if blockWidths != nil { network = network.unnamed }
        let dilation = try Dilation(
            stages: dilatedStages, outputStride: outputStride, rule: dilationRule, firstStride: network.firstStride)
        return try Configuration(
            network, inChannels: inChannels, baseChannels: baseChannels, outStages: outStages, classes: classes,
            dilation: dilation, normEval: normEval, zeroInitResidual: zeroInitResidual, style: style,
            normEpsilon: normEpsilon)
    }

    /// The architecture that the caller named for a file; nil if the file decides.
    func namedArchitecture() throws(BackboneError) -> Architecture? {
        guard let architecture else { return nil }
        let named = try Architecture(depth: 0, name: architecture)
        return named.isCustom ? nil : named
    }

    private func checkChoices() throws(BackboneError) {
        guard threads >= 0 && threads <= NetworkRequest.mostThreads else {
            throw BackboneError(
                .invalidArgument, "threads is \(threads), expected 0 to \(NetworkRequest.mostThreads)")
        }
        guard channelOrder == 0 || channelOrder == 1 else {
            throw BackboneError(
                .invalidArgument, "channel_order is \(channelOrder), expected 0 (as given) or 1 (reversed)")
        }
        guard arithmetic == 0 || arithmetic == 1 else {
            throw BackboneError(.invalidArgument, "arithmetic is \(arithmetic), expected 0 (fast) or 1 (direct)")
        }
        guard normalization == 0 || normalization == 1 else {
            throw BackboneError(.invalidArgument, "normalization is \(normalization), expected 0 (uint8) or 1 (all)")
        }
    }

    /// The same for the network that a file describes: its architecture and width, the classes of its head unless the
    /// caller chose them, and the channels of its stem unless they are converted.
    func describing(_ described: Configuration, _ load: LoadRequest) throws(BackboneError) -> NetworkRequest {
        let conversion = load.conversion
        var request = self
        request.described = described.architecture
        request.baseChannels = Int32(described.baseChannels)
        if classes == 0 { request.classes = Int32(described.classes) }
        let channels = Int32(described.inChannels)
        guard conversion.takesFileChannels && inChannels != channels else { return request }
        // The caller's arrays have as many values as the caller's options say.
        guard mean == nil && standardDeviation == nil else {
            throw BackboneError(
                .invalidArgument,
                """
                in_channels is \(inChannels) and mean or std_dev is set, expected \(channels), the channels of the \
                file's stem
                """
            )
        }
        request.inChannels = channels
        return request
    }
}
