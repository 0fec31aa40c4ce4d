// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// One of our names of a tensor in a block: "layer1.0.conv1.weight", or "stages.0.blocks.0.conv1.weight" of a pre-activation
/// network.
struct BlockName {
    /// Counts from 1.
    let stage: Int
    let block: Int
    let isPreactivation: Bool
    /// The rest: "conv1.weight".
    let rest: Bytes

    init?(_ name: Bytes) {
        guard var reader = StageName(name) else { return nil }
        stage = reader.stage
        isPreactivation = reader.isPreactivation
        guard let block = reader.takeBlock() else { return nil }
        self.block = block
        rest = reader.rest
    }

    /// The deepest ResNets have 200 in a stage.
    static var blocks: ClosedRange<Int> { 0...999 }
}

/// One of our names of a tensor in a stage: "layer1.0.conv1.weight".
struct StageName {
    /// Counts from 1.
    let stage: Int
    let isPreactivation: Bool
    private var reader: NameReader

    init?(_ name: Bytes) {
        reader = NameReader(name)
        if reader.take("layer") {
            guard let stage = reader.number(in: 1...Architecture.mostStages), reader.take(".") else { return nil }
            (self.stage, isPreactivation) = (stage, false)
        } else {
            guard reader.take("stages."), let stage = reader.number(in: 0...Architecture.mostStages - 1),
                reader.take(".blocks.")
            else { return nil }
            (self.stage, isPreactivation) = (stage + 1, true)
        }
    }

    /// The unread rest.
    var rest: Bytes { reader.rest }

    /// Reads the number of a block and the dot after it.
    mutating func takeBlock() -> Int? {
        let start = reader
        if let block = reader.number(in: BlockName.blocks), reader.take(".") { return block }
        reader = start
        return nil
    }
}
