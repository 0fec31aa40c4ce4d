// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Runtime
import Testing

@testable import Checkpoints

/// What a report writes, read back by an independent parser.
struct ReportTextTests {
    private func parsed(_ write: (inout JSONWriter) throws -> Void) throws -> Any {
        var writer = JSONWriter()
        try writer.begin("{")
        try write(&writer)
        try writer.end("}")
        let text = try writer.finish()
        let data = Data(text.elements.dropLast())
        #expect(text.elements.last == 0)
        return try JSONSerialization.jsonObject(with: data)
    }

    @Test func everyCharacterSurvives() throws {
        var text = "\u{7f}é€😀 / \\ \" "
        for code in 1..<0x20 as Range<UInt8> { text.unicodeScalars.append(UnicodeScalar(code)) }
        let object = try parsed { writer in
            try writer.key("a")
            try writer.string(text)
            try writer.key("b")
            try writer.string([0x61, -1, -61, 0x28, 0])
        }
        let values = try #require(object as? [String: String])
        #expect(values["a"] == text)
        #expect(values["b"] == "a\u{fffd}\u{fffd}(")
    }

    @Test func shapesAndNesting() throws {
        let object = try parsed { writer in
            try writer.key("list")
            try writer.begin("[")
            for sizes in [[], [7], [.min, .max]] as [[Int64]] {
                try writer.separate()
                try sizes.withUnsafeBufferPointer { try writer.shape($0) }
            }
            try writer.separate()
            try writer.shape(nil)
            try writer.end("]")
            try writer.key("empty")
            try writer.begin("{")
            try writer.end("}")
        }
        let values = try #require(object as? [String: Any])
        let list = try #require(values["list"] as? [Any])
        #expect(list.count == 4 && list[3] is NSNull)
        #expect(list[1] as? [Int64] == [7] && list[2] as? [Int64] == [.min, .max])
        #expect((values["empty"] as? [String: Any])?.isEmpty == true)
    }
}
