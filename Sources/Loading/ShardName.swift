// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Checkpoints
import Runtime

/// What to do about a path that is one shard of several, "model-00001-of-00002.safetensors"; nil for any other path.
func shardHint(_ path: UnsafePointer<CChar>) -> Message? {
    var rest = Bytes(start: UnsafeRawPointer(path).assumingMemoryBound(to: UInt8.self), count: strlen(path))
    while !rest.isEmpty {
        _ = rest.takePart(before: UInt8(ascii: "-"))
        if let (number, count) = shard(rest), number >= 1, count > 1, number <= count {
            return "it seems to be one of \(count) shards: load the index (.index.json)"
        }
    }
    return nil
}

/// "00001-of-00002", with anything behind it.
private func shard(_ text: Bytes) -> (number: Int, count: Int)? {
    guard text.count >= 14, let number = digits(text.slice(0, 5)), text.slice(5, 4).hasPrefix("-of-"),
        let count = digits(text.slice(9, 5))
    else { return nil }
    return (number, count)
}

private func digits(_ text: Bytes) -> Int? {
    var value = 0
    for byte in text {
        guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
        value = 10 * value + Int(byte - UInt8(ascii: "0"))
    }
    return value
}
