// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Runtime

/// What is looked up in order.
struct SortingTests {
    @Test func agreesWithTheLibrary() throws {
        for count in 0..<60 {
            // Unordered, and with equals.
            let keys = (0..<count).map { ($0 * 7919 + count * 31) % 20 }
            let order = try sorted(count: count) { (keys[Int($0)], $0) < (keys[Int($1)], $1) }
            #expect(order.elements.map { keys[Int($0)] } == keys.sorted())
            #expect(order.elements.sorted() == (0..<Int32(count)).map { $0 })
            for key in -1...20 {
                let found = search(order.elements) { keys[Int($0)] - key }
                #expect(found == keys.firstIndex(of: key), "\(key) in \(keys)")
                let ordered = keys.sorted()
                #expect(search(count: count) { ordered[$0] - key } == ordered.firstIndex(of: key))
            }
        }
    }
}
