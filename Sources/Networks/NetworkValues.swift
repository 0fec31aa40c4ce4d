// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The numbers of a network: all float32 parameters and buffers in one block, and num_batches_tracked of each unit.
///
/// A load fills one of these beside the network and then puts it in the network's place, so that a load that fails
/// has changed nothing.
package struct NetworkValues: ~Copyable {
    /// Laid out by `ConvolutionUnit.valueOffset`.
    package let floats: Buffer<Float>
    package let batchesTracked: Buffer<Int64>
}

/// Counts changes of a unit's values, so that packed copies know when they are stale.
package struct UnitRevision: BitwiseCopyable, Equatable, Sendable {
    package var convolution = 0
    package var norm = 0

    package init() {}
}

extension Network {
    /// Room for all values of this network, with undefined contents.
    package func makeValues() throws(BackboneError) -> NetworkValues {
        NetworkValues(floats: try Buffer(count: valueCount), batchesTracked: try Buffer(count: units.count))
    }

    /// Puts complete values in the place of the present ones.
    package mutating func replaceValues(_ new: consuming NetworkValues) {
        values = consume new
        for unit in 0..<units.count {
            revisions[unit].convolution += 1
            revisions[unit].norm += 1
        }
    }

    /// Puts values in the place of the present ones, of which those entries stay that were not loaded.
    package mutating func adopt(_ new: consuming NetworkValues, isLoaded: borrowing UniqueArray<Bool>) {
        for index in 0..<entries.count where !isLoaded[index] {
            if hasValues {
                read(entries[index], into: address(of: entries[index], in: new))
            } else {
                initialize(entries[index], new)
            }
        }
        replaceValues(new)
    }

    /// Whether all of the stem that a forward in evaluation mode uses is among the entries that were loaded.
    package func hasStem(_ isLoaded: borrowing UniqueArray<Bool>) -> Bool {
        for index in 0..<entries.count where entries[index].unit == 0 && entries[index].role != .batchesTracked {
            if !isLoaded[index] { return false }
        }
        return true
    }

    /// Whether the values take up memory yet.
    package var hasValues: Bool { values != nil }

    /// Makes sure that there are values, those of seed 0 where none were written yet.
    ///
    /// - Throws: `outOfMemory`; `cancelled`, and then there are still none.
    package mutating func requireValues(_ cancellation: Cancellation = .none) throws(BackboneError) {
        guard values == nil else { return }
        let fresh = try makeValues()
        try initialize(fresh, seed: 0, cancellation)
        values = consume fresh
    }

    /// The address of all floats; `requireValues` must have succeeded.
    package var floats: UnsafeMutablePointer<Float> {
        switch values {
        case .some(let present): present.floats.start
        case .none: preconditionFailure("values are required first")
        }
    }

    /// The address of num_batches_tracked of all units; `requireValues` must have succeeded.
    package var batchesTracked: UnsafeMutablePointer<Int64> {
        switch values {
        case .some(let present): present.batchesTracked.start
        case .none: preconditionFailure("values are required first")
        }
    }

    /// Where an entry lies; `requireValues` must have succeeded.
    package func address(of entry: StateEntry) -> UnsafeMutableRawPointer {
        switch values {
        case .some(let present): address(of: entry, in: present)
        case .none: preconditionFailure("values are required first")
        }
    }

    /// Where an entry lies in some values of this network.
    package func address(of entry: StateEntry, in values: borrowing NetworkValues) -> UnsafeMutableRawPointer {
        let unit = units[entry.unit]
        let floats = values.floats.start
        return switch entry.role {
        case .convolutionWeight: UnsafeMutableRawPointer(floats + unit.valueOffset)
        case .normWeight: UnsafeMutableRawPointer(floats + unit.normWeightOffset)
        case .normBias: UnsafeMutableRawPointer(floats + unit.normBiasOffset)
        case .runningMean: UnsafeMutableRawPointer(floats + unit.runningMeanOffset)
        case .runningVar: UnsafeMutableRawPointer(floats + unit.runningVarOffset)
        case .batchesTracked: UnsafeMutableRawPointer(values.batchesTracked.start + entry.unit)
        }
    }
}
