// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// One line of text of bounded length that is built without allocating: what an error says when memory has run out is
/// as good as at any other time.
///
/// It is written as an interpolated string: `"depth is \(depth), expected 18, 34, 50, 101 or 152"`. Text beyond
/// `capacity` bytes is cut, and control characters (from names in hostile files) become `?`.
public struct Message: ExpressibleByStringInterpolation, Sendable, BitwiseCopyable {
    /// With its terminating zero a message fits `SHIMS_MESSAGE_CAPACITY`.
    public static var capacity: Int { 511 }

    /// 512 bytes. As vectors, since of an array of bytes the compiler copies each byte by itself, and takes minutes to
    /// compile.
    private var vectors: InlineArray<8, SIMD64<UInt8>>
    public private(set) var count: Int

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

    public mutating func append(byte: UInt8) {
        guard count < Message.capacity else { return }
        vectors[count / 64][count % 64] = byte < 0x20 || byte == 0x7f ? UInt8(ascii: "?") : byte
        count += 1
    }

    public mutating func append(_ text: StaticString) {
        append(bytes: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    public mutating func append(bytes: UnsafePointer<UInt8>, count: Int) {
        for index in 0..<max(count, 0) { append(byte: bytes[index]) }
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

        /// Another message, to put it into a context.
        public mutating func appendInterpolation(_ other: Message) {
            for index in 0..<other.count { message.append(byte: other[index]) }
        }

        /// A zero-terminated string of the caller; `(NULL)` for none.
        public mutating func appendInterpolation(_ text: UnsafePointer<CChar>?) {
            guard let text else { return message.append("(NULL)") }
            var index = 0
            while text[index] != 0 && message.count < Message.capacity {
                message.append(byte: UInt8(bitPattern: text[index]))
                index += 1
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
