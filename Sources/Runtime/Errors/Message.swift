// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// One line of text of bounded length that is built without allocating: errors have complete messages even when memory
/// has run out.
///
/// It is written as an interpolated string: `"depth is \(depth), expected 18, 34, 50, 101 or 152"`. Text beyond
/// `capacity` bytes is cut after a whole character; control characters and bytes that are not UTF-8 (from paths, and names
/// in hostile files) become `?`. So a message is always valid UTF-8.
public struct Message: ExpressibleByStringInterpolation, Sendable, BitwiseCopyable {
    /// With its terminating zero a message fits `SHIMS_MESSAGE_CAPACITY`.
    public static var capacity: Int { 511 }

    /// 512 bytes. As vectors: for an array of bytes the compiler emits a copy of each byte, and compiles for minutes.
    private var vectors: InlineArray<8, SIMD64<UInt8>>
    public private(set) var count: Int
    /// Whether the text was cut: nothing follows then.
    fileprivate var isCut = false

    public init() {
        vectors = InlineArray(repeating: SIMD64(repeating: 0))
        count = 0
    }

    public init(stringLiteral: StaticString) {
        self.init()
        append(stringLiteral)
    }

    public init(stringInterpolation: Interpolation) {
        self = stringInterpolation.message
    }

    /// Byte `index` of the text.
    public subscript(index: Int) -> UInt8 { vectors[index / 64][index % 64] }

    /// A character of one byte.
    public mutating func append(byte: UInt8) {
        guard count < Message.capacity, !isCut else { return isCut = true }
        let isPrintable = byte >= 0x20 && byte < 0x7f
        vectors[count / 64][count % 64] = isPrintable ? byte : UInt8(ascii: "?")
        count += 1
    }

    /// Appends the character at the start of a text, or a `?` for its first byte. Returns the number of bytes used.
    @inline(__always)
    fileprivate mutating func appendCharacter(_ byte: (Int) -> UInt8?) -> Int {
        guard let first = byte(0), let length = UTF8Scanner.length(byte), length > 1 else {
            append(byte: byte(0) ?? 0)
            return 1
        }
        // U+0080 to U+009F are control characters too.
        if first == 0xc2, let second = byte(1), second < 0xa0 {
            append(byte: UInt8(ascii: "?"))
            return length
        }
        guard count + length <= Message.capacity, !isCut else {
            isCut = true
            return length
        }
        for index in 0..<length {
            vectors[count / 64][count % 64] = byte(index) ?? 0
            count += 1
        }
        return length
    }

    public mutating func append(_ text: StaticString) {
        append(bytes: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    public mutating func append(bytes: UnsafePointer<UInt8>, count: Int) {
        var position = 0
        while position < count && !isCut {
            position += appendCharacter { position + $0 < count ? bytes[position + $0] : nil }
        }
    }

    public mutating func append(_ value: Int64) {
        if value < 0 { append(byte: UInt8(ascii: "-")) }
        append(value.magnitude)
    }

    public mutating func append(_ value: UInt64) {
        var divisor: UInt64 = 1
        while value / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            append(byte: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
    }

    /// Copies the text with a terminating zero to `out`, which has room for `capacity + 1` bytes.
    public func write(to out: UnsafeMutablePointer<CChar>) {
        for index in 0..<count { out[index] = CChar(bitPattern: self[index]) }
        out[count] = 0
    }
}

extension Message {
    /// Collects the pieces of an interpolated message. Literals are `StaticString`, so no `String` ever exists.
    public struct Interpolation: StringInterpolationProtocol {
        public typealias StringLiteralType = StaticString

        fileprivate var message = Message()

        public init(literalCapacity: Int, interpolationCount: Int) {}

        public mutating func appendLiteral(_ literal: StaticString) { message.append(literal) }
        public mutating func appendInterpolation(_ text: StaticString) { message.append(text) }
        public mutating func appendInterpolation(_ value: Int) { message.append(Int64(value)) }
        public mutating func appendInterpolation(_ value: Int32) { message.append(Int64(value)) }
        public mutating func appendInterpolation(_ value: Int64) { message.append(value) }
        public mutating func appendInterpolation(_ value: UInt32) { message.append(UInt64(value)) }
        public mutating func appendInterpolation(_ value: UInt64) { message.append(value) }

        /// Up to nine significant digits: a Float as it is.
        public mutating func appendInterpolation(_ value: Double) {
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { digits in
                guard let start = digits.baseAddress else { return }
                shims_format_number(value, start)
                var position = 0
                while start[position] != 0 {
                    message.append(byte: UInt8(bitPattern: start[position]))
                    position += 1
                }
            }
        }

        /// Another message, to put it into a context.
        public mutating func appendInterpolation(_ other: Message) {
            var position = 0
            while position < other.count {
                position += message.appendCharacter { position + $0 < other.count ? other[position + $0] : nil }
            }
        }

        /// A zero-terminated string of the caller; `(NULL)` for none.
        public mutating func appendInterpolation(_ text: UnsafePointer<CChar>?) {
            guard let text else { return message.append("(NULL)") }
            var position = 0
            while text[position] != 0 && !message.isCut {
                // The terminating zero continues no character, so nothing beyond it is read.
                position += message.appendCharacter { UInt8(bitPattern: text[position + $0]) }
            }
        }

        /// Bytes of a file, taken as UTF-8.
        public mutating func appendInterpolation(_ text: UnsafeBufferPointer<UInt8>) {
            guard let start = text.baseAddress else { return }
            message.append(bytes: start, count: text.count)
        }

        /// A shape as PyTorch prints it: `[64, 3, 7, 7]`.
        public mutating func appendInterpolation(shape: UnsafeBufferPointer<Int64>) {
            message.append("[")
            for index in 0..<shape.count {
                if index > 0 { message.append(", ") }
                message.append(shape[index])
            }
            message.append("]")
        }
    }
}
