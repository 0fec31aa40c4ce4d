// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Runtime

/// Advice for a path that is one shard of several, "model-00001-of-00002.safetensors"; nil for any other path.
func shardHint(_ path: UnsafePointer<CChar>) -> Message? {
    var rest = bytes(ofCString: path)
    while !rest.isEmpty {
        _ = rest.takePart(before: UInt8(ascii: "-"))
        if let (number, count) = shard(rest), number >= 1, count > 1, number <= count {
            return "it seems to be one of \(count) shards; load the index (.index.json)"
        }
    }
    return nil
}

/// "00001-of-00002", with anything after it.
private func shard(_ text: Bytes) -> (number: Int, count: Int)? {
    guard text.count >= 14, let number = decimal(text.slice(0, 5)), text.slice(5, 4).hasPrefix("-of-"),
        let count = decimal(text.slice(9, 5))
    else { return nil }
    return (number, count)
}
