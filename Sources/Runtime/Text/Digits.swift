// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The value of a hexadecimal digit, nil for other characters.
package func hexadecimalDigit(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
}

/// The value of a decimal number; nil if it is not a number or overflows Int.
package func decimal(_ text: Bytes) -> Int? {
    let isNegative = text.count > 0 && text[0] == UInt8(ascii: "-")
    let first = isNegative ? 1 : 0
    guard text.count > first else { return nil }
    var number: Int? = 0
    for index in first..<text.count {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[index]) else { return nil }
        // Downwards, since negative Ints have one value more.
        number = checkedSum(checkedProduct(number, 10), -Int(text[index] - UInt8(ascii: "0")))
    }
    guard let number else { return nil }
    return isNegative ? number : number == Int.min ? nil : -number
}
