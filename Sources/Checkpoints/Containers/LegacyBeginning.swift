// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Whether a file begins as `torch.save` wrote it from PyTorch 0.1.10 to 1.5: with a pickle that holds only
/// 0x1950a86a20f9469cfc6c.
func isLegacyCheckpoint(_ beginning: Bytes) -> Bool {
    if beginning.hasPrefix("L119547037146038801333356L\n.") { return true }
    var reader = ByteReader(beginning)
    guard reader.uint8() == Opcode.proto.rawValue, reader.uint8() != nil else { return false }
    if reader.next == Opcode.frame.rawValue { _ = reader.take(9) }
    let magic: [13 of UInt8] = [
        0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e,
    ]
    for index in 0..<13 where reader.uint8() != magic[index] { return false }
    return true
}
