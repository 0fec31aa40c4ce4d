// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Turns UTF-8 of characters below 256 into these, one byte each.
///
/// Every second byte of numbers is written as two, so arithmetic replaces branches, which could not be predicted: each
/// byte becomes the character that it makes with the previous one, many at a time, and then bytes that only begin a
/// character are dropped.
///
/// - Parameters:
///   - count: of the bytes; they may begin and end within a character.
///   - previous: the byte before the first.
///   - out: has room for `count` bytes.
/// - Returns: how many are written; nil for other bytes.
func decodeLatin1(
    _ source: UnsafePointer<UInt8>, count: Int, after previous: UInt8, to out: UnsafeMutablePointer<UInt8>
) -> Int? {
    guard count > 0 else { return 0 }
    // More would not fit on the stack, which holds temporary memory.
    let blockSize = 512
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2 * blockSize) { scratch -> Int? in
        guard let values = scratch.baseAddress else { return nil }
        let steps = values + blockSize
        var wrong: UInt8 = 0
        // The first byte by itself: its predecessor is elsewhere.
        wrong |= decode(source[0], after: previous, &out[0], &steps[0])
        var done = Int(steps[0])
        var index = 1
        while index < count {
            let part = min(blockSize, count - index)
            for lane in 0..<part {
                wrong |= decode(source[index &+ lane], after: source[index &+ lane &- 1], &values[lane], &steps[lane])
            }
            for lane in 0..<part {
                out[done] = values[lane]
                done &+= Int(steps[lane])
            }
            index += part
        }
        return wrong == 0 ? done : nil
    }
}

/// - Parameters:
///   - value: receives the character that the byte ends.
///   - step: receives 0 if the byte begins a character of two bytes, else 1.
/// - Returns: other bits than 0 if it is not valid there.
@inline(__always)
private func decode(_ byte: UInt8, after previous: UInt8, _ value: inout UInt8, _ step: inout UInt8) -> UInt8 {
    // The first of two bytes is 0xc2 or 0xc3, and the second from 0x80 to 0xbf.
    let begins: UInt8 = byte >= 0xc0 ? 0xff : 0
    let ends: UInt8 = byte & 0xc0 == 0x80 ? 0xff : 0
    let hasBegun: UInt8 = previous >= 0xc0 ? 0xff : 0
    value = byte ^ ends & (byte ^ (previous &<< 6 | byte & 0x3f))
    step = 1 &+ begins
    return ends ^ hasBegun | begins & (byte & 0x3e ^ 2)
}
