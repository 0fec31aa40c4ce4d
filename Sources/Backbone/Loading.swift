// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Execution
import Networks
import Runtime

/// Loads an open checkpoint into a session.
///
/// - Parameter out: receives the report if it is wanted, also where that says why nothing was loaded.
func load(
    _ stateDict: borrowing StateDict, _ request: LoadRequest, _ session: Session,
    _ out: UnsafeMutablePointer<OpaquePointer?>?
) throws(BackboneError) {
    try request.conversion.check(networkChannels: session.configuration.inChannels)
    try withReport(
        of: try session.reading { network throws(BackboneError) in try match(stateDict, network, request) }, out
    ) {
        report throws(BackboneError) in
        try report.pointee.describe(stateDict)
        try report.pointee.verdict(strict: request.isStrict)
        try load(stateDict, report, session, request.conversion, isReportWanted: out != nil)
    }
}

/// Calls `body` with a report, which then goes to the caller who wants one, also where it says why `body` failed.
func withReport(
    of report: consuming LoadReport, _ out: UnsafeMutablePointer<OpaquePointer?>?,
    _ body: (UnsafeMutablePointer<LoadReport>) throws(BackboneError) -> Void
) throws(BackboneError) {
    let report = try Heap.make(report)
    var isWanted = false
    defer { if isWanted { out?.pointee = OpaquePointer(report) } else { Heap.destroy(report) } }
    do throws(BackboneError) {
        try body(report)
    } catch {
        if out != nil && error.kind == .mismatch {
            try report.pointee.renderJSON()
            isWanted = true
        }
        throw error
    }
    isWanted = out != nil
}

/// Compares the names and shapes of a checkpoint with those of a network.
func match(
    _ stateDict: borrowing StateDict, _ network: borrowing Network, _ request: LoadRequest
) throws(BackboneError) -> LoadReport {
    var expected = UniqueArray<ExpectedTensor>()
    try expected.reserve(network.entries.count)
    // Of a file, no more than a network may have.
    let mostChannels = request.conversion.isExact ? nil : Int64(Configuration.maximumInChannels)
    for index in 0..<network.entries.count {
        let entry = network.entries[index]
        let isCount = entry.role == .batchesTracked
        expected.appendReserved(
            ExpectedTensor(
                name: network.name(of: entry), shape: network.shape(ofEntry: index),
                dtype: isCount ? .int64 : .float32, mayBeMissing: isCount, statistic: network.affineStatistic(entry),
                mostChannels: entry.isStemWeight ? mostChannels : nil))
    }
    var ignorable = UniqueArray<StaticString>()
    try ignorable.append("fc.")
    let deepest = network.configuration.outStages.deepest
    if deepest < 2 { try ignorable.append("layer2.") }
    if deepest < 3 { try ignorable.append("layer3.") }
    if deepest < 4 { try ignorable.append("layer4.") }
    return try stateDict.match(expected, ignorable: ignorable)
}

/// Reads what matches beside the network's values, and then puts it in their place.
private func load(
    _ stateDict: borrowing StateDict, _ report: UnsafeMutablePointer<LoadReport>, _ session: Session,
    _ conversion: InputConversion, isReportWanted: Bool
) throws(BackboneError) {
    var isLoaded = UniqueArray<Bool>()
    var destinations = UniqueArray<TensorDestination>()
    var stem = ConvertedStem()
    let values = try session.reading { network throws(BackboneError) in
        let values = try network.makeValues()
        isLoaded = try UniqueArray(repeating: false, count: network.entries.count)
        let count = report.pointee.count(of: .loaded)
        try destinations.reserve(count)
        for index in 0..<count {
            let match = report.pointee.match(index)
            let entry = network.entries[match.expected]
            let address = network.address(of: entry, in: values)
            isLoaded[match.expected] = true
            if entry.role == .batchesTracked {
                destinations.appendReserved(
                    TensorDestination(tensor: match.tensor, int64: address.assumingMemoryBound(to: Int64.self)))
                continue
            }
            var memory = address.assumingMemoryBound(to: Float.self)
            if entry.isStemWeight {
                let shape = stateDict.shape(match.tensor)
                memory = try stem.prepare(conversion, fileChannels: Int(shape[1]), network.units[0]) ?? memory
            }
            destinations.appendReserved(TensorDestination(tensor: match.tensor, float32: memory))
        }
        for index in 0..<report.pointee.defaultCount {
            let position = report.pointee.expectedDefault(index)
            network.writeAffineStatistic(network.entries[position], to: values)
            isLoaded[position] = true
        }
        return values
    }
    // Without the lock: forwards go on meanwhile.
    try session.sharing { pool throws(BackboneError) in try stateDict.read(destinations, pool) }
    let scale = try session.reading { network throws(BackboneError) -> StemScale in
        let scale = network.hasStem(isLoaded) ? stem.scale(network, values) : .unknown
        stem.convert(conversion, network.units[0], values)
        return scale
    }
    if stem.isConverted { try report.pointee.set(.inputConversion, "\(conversion.name)") }
    let character = FileCharacter(stateDict, scale)
    try report.pointee.compare(character, with: session.configuration)
    try report.pointee.compareInputs(character, with: session)
    // The last thing that can fail, so that a failure has changed nothing.
    if isReportWanted { try report.pointee.renderJSON() }
    try session.adopt(values, isLoaded: isLoaded, stateDict.cancellation)
}

/// The file's weights of a stem for another number of input channels, on their way into the network.
private struct ConvertedStem: ~Copyable {
    private var weights = UniqueArray<Float>()
    private var channels = 0

    var isConverted: Bool { channels > 0 }

    /// Where to read the weights to if they are to be converted; nil if they stay as they are.
    ///
    /// - Throws: `invalidArgument` for a map of channels that the file lacks; `outOfMemory`.
    mutating func prepare(
        _ conversion: InputConversion, fileChannels: Int, _ unit: ConvolutionUnit
    ) throws(BackboneError) -> UnsafeMutablePointer<Float>? {
        try conversion.check(fileChannels: fileChannels)
        if conversion.keeps(fileChannels: fileChannels, networkChannels: unit.inputChannels) { return nil }
        weights = try UniqueArray(repeating: 0, count: unit.weightCount / unit.inputChannels * fileChannels)
        channels = fileChannels
        return weights.mutableElements.baseAddress
    }

    /// The scale of the stem as the file has it; `values` hold the rest of it.
    func scale(_ network: borrowing Network, _ values: borrowing NetworkValues) -> StemScale {
        let unit = network.units[0]
        let floats = UnsafePointer(values.floats.start)
        return StemScale(
            weights: isConverted ? weights.elements.baseAddress.unsafelyUnwrapped : floats + unit.valueOffset,
            normWeight: floats + unit.normWeightOffset, variance: floats + unit.runningVarOffset,
            outputs: unit.outputChannels,
            count: unit.weightCount / unit.outputChannels / unit.inputChannels
                * (isConverted ? channels : unit.inputChannels),
            epsilon: network.configuration.normEpsilon)
    }

    func convert(_ conversion: InputConversion, _ unit: ConvolutionUnit, _ values: borrowing NetworkValues) {
        guard isConverted, let source = weights.elements.baseAddress else { return }
        conversion.convert(
            source, fileChannels: channels, to: values.floats.start + unit.valueOffset,
            networkChannels: unit.inputChannels, outputs: unit.outputChannels, area: unit.kernelSize * unit.kernelSize)
    }
}
