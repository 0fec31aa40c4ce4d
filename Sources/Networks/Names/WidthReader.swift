// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Reads the channels of each block from the shapes of a file, for networks whose channels do not follow the rules.
package struct WidthReader: ~Copyable {
    private var widths: BlockWidths
    private let configuration: Configuration

    /// - Parameter configuration: That of the outline of the same file.
    package init(_ configuration: Configuration) throws(BackboneError) {
        self.configuration = configuration
        widths = try BlockWidths(regularOf: configuration)
    }

    /// Adds a tensor, by our name of it.
    package mutating func note(_ name: Bytes, shape: UnsafeBufferPointer<Int64>) {
        guard shape.count >= 3 else { return }
        guard let place = BlockName(name) else {
            if shape.count == 4 && configuration.architecture.stem.isDeep { noteStem(name, shape) }
            return
        }
        guard let start = start(of: place) else { return }
        let isBasic = configuration.architecture.blocks[place.stage - 1] == .basic
        func isWeight(_ convolution: StaticString) -> Bool { NetworkOutline.isWeight(place.rest, of: convolution) }
        if shape.count == 3 {
            if isWeight("se.conv.") { set(start + 3, shape[2]) }
            return
        }
        guard shape.count == 4 else { return }
        if isWeight("conv1.") { set(start, shape[0]) }
        if isWeight("conv2.") {
            set(start + 1, shape[0])
            if isBasic { set(start + 2, shape[0]) }
        }
        if isWeight("conv3.") && !isBasic { set(start + 2, shape[0]) }
        if isWeight("se.fc1.") { set(start + 3, shape[0]) }
    }

    private mutating func noteStem(_ name: Bytes, _ shape: UnsafeBufferPointer<Int64>) {
        switch StemOutline.convolution(name) {
        case 0: set(0, shape[0])
        case 1: set(1, shape[0])
        default: break
        }
    }

    private func start(of place: BlockName) -> Int? {
        let architecture = configuration.architecture
        guard place.stage <= architecture.stageCount, place.block < architecture.blockCounts[place.stage - 1] else {
            return nil
        }
        var block = place.block
        for stage in 0..<place.stage - 1 { block += architecture.blockCounts[stage] }
        return BlockWidth.start(block: block)
    }

    /// Sets a width. If a weight has several parts, the last one counts.
    private mutating func set(_ index: Int, _ channels: Int64) {
        guard (1...Int64(BlockWidth.most)).contains(channels) else { return }
        widths.values[index] = Int32(channels)
    }

    /// Empty if all channels follow the rules.
    package consuming func finish() throws(BackboneError) -> BlockWidths {
        let isRegular = widths.isSame(as: try BlockWidths(regularOf: configuration))
        return isRegular ? BlockWidths() : widths
    }
}
