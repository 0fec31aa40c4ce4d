// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// A ResNet up to its deepest wanted stage: an ordered list of convolution units under PyTorch's names, their values,
/// and the state of freezing and training. It computes nothing on activations.
package struct Network: ~Copyable {
    package let configuration: Configuration

    /// In PyTorch's order of registration; unit 0 is the stem.
    package private(set) var units = UniqueArray<ConvolutionUnit>()
    package private(set) var blocks = UniqueArray<ResidualBlock>()
    package private(set) var entries = UniqueArray<StateEntry>()
    /// The names of the entries, each with a terminating zero.
    private var text = UniqueArray<UInt8>()
    /// The shapes of the entries, four sizes each.
    private var sizes = UniqueArray<Int64>()

    /// All values, once somebody needs them. Until then they are those of `initializeValues` with seed 0.
    var values: NetworkValues?

    /// What has changed since packed copies were made of it.
    package internal(set) var revisions: UniqueArray<UnitRevision>

    /// -1 to 4, as set by `freeze`.
    package private(set) var frozenStages = -1
    package private(set) var isTraining = false

    package init(_ configuration: Configuration) throws(BackboneError) {
        self.configuration = configuration
        revisions = UniqueArray()
        var builder = NetworkBuilder()
        try builder.build(configuration)
        revisions = try UniqueArray(repeating: UnitRevision(), count: builder.units.count)
        let parts = builder.finish()
        units = parts.units
        blocks = parts.blocks
        entries = parts.entries
        text = parts.text
        sizes = parts.sizes
    }

    /// Values of all units together.
    package var valueCount: Int {
        let last = units[units.count - 1]
        return last.valueOffset + last.valueCount
    }

    package func name(of entry: StateEntry) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: text.elements[entry.nameOffset..<entry.nameOffset + entry.nameCount])
    }

    /// The name of a unit's convolution: "layer1.0.conv1", "layer1.0.downsample.0".
    package func name(ofUnit unit: Int) -> UnsafeBufferPointer<UInt8> {
        for index in 0..<entries.count where entries[index].unit == unit && entries[index].role == .convolutionWeight {
            let name = name(of: entries[index])
            return UnsafeBufferPointer(rebasing: name.dropLast(".weight".utf8.count))
        }
        return UnsafeBufferPointer(start: nil, count: 0)
    }

    /// The sizes in use of an entry's shape; none for num_batches_tracked.
    package func shape(ofEntry index: Int) -> UnsafeBufferPointer<Int64> {
        let start = entries[index].shapeOffset
        return UnsafeBufferPointer(rebasing: sizes.elements[start..<start + entries[index].dimensions])
    }

    /// The index of the entry with a zero-terminated name, nil if there is none.
    package func entryIndex(named name: UnsafePointer<CChar>) -> Int? {
        for index in 0..<entries.count {
            let candidate = self.name(of: entries[index])
            var position = 0
            while position < candidate.count && candidate[position] == UInt8(bitPattern: name[position]) {
                position += 1
            }
            if position == candidate.count && name[position] == 0 { return index }
        }
        return nil
    }
}

// MARK: - Freezing and training

extension Network {
    /// Sets the state: the stem (0), the stem and the first stages (1 to 4), or nothing (-1) is frozen.
    package mutating func freeze(_ stages: Int32) throws(BackboneError) {
        try Network.checkFrozenStages(stages)
        frozenStages = Int(stages)
    }

    package static func checkFrozenStages(_ stages: Int32) throws(BackboneError) {
        guard stages >= -1 && stages <= 4 else {
            throw BackboneError(.invalidArgument, "frozen_stages is \(stages), expected -1 to 4")
        }
    }

    package mutating func setTraining(_ training: Bool) { isTraining = training }

    /// Whether a stage is frozen; the stem is stage 0.
    package func isFrozen(stage: Int) -> Bool { stage <= frozenStages }

    package func isTrainable(_ entry: StateEntry) -> Bool {
        entry.role.isParameter && !isFrozen(stage: units[entry.unit].stage)
    }

    /// Whether a unit's BatchNorm normalises with the statistics of the batch, and updates its running ones.
    package func usesBatchStatistics(unit: Int) -> Bool {
        isTraining && !configuration.normEval && !isFrozen(stage: units[unit].stage)
    }

    /// Whether any BatchNorm does, so that the images of a batch depend on each other.
    package var usesBatchStatistics: Bool {
        // Freezing goes from the stem outwards, so the last unit is the last to be frozen.
        usesBatchStatistics(unit: units.count - 1)
    }
}
