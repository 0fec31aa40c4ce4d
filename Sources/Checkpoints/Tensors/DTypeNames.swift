// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The names of element types in PyTorch, safetensors and NumPy: one table for supported types and for those that
/// messages name.
package struct DTypeNames: BitwiseCopyable, Sendable {
    /// The name of `torch.dtype` without "torch."; of a type that only NumPy has, NumPy's.
    package let torch: StaticString
    /// The code in the header of a safetensors file; empty if the format lacks the type.
    let safetensors: StaticString
    /// The code of a NumPy dtype without its byte order; empty if NumPy lacks the type.
    let numpy: StaticString
    /// The prefix of the classes of storages and tensors, such as "Float" in `torch.FloatStorage`; empty without any.
    let classPrefix: StaticString

    private init(
        _ torch: StaticString, _ safetensors: StaticString, _ numpy: StaticString, _ classPrefix: StaticString
    ) {
        self.torch = torch
        self.safetensors = safetensors
        self.numpy = numpy
        self.classPrefix = classPrefix
    }

    /// The number of types with names.
    static var count: Int { 29 }

    /// Row `index`. The first rows are the supported types, by their raw values.
    init(row index: Int) {
        switch index {
        case 0: self.init("float32", "F32", "f4", "Float")
        case 1: self.init("float16", "F16", "f2", "Half")
        case 2: self.init("bfloat16", "BF16", "", "BFloat16")
        case 3: self.init("float64", "F64", "f8", "Double")
        case 4: self.init("int64", "I64", "i8", "Long")
        case 5: self.init("int32", "I32", "i4", "Int")
        case 6: self.init("int16", "I16", "i2", "Short")
        case 7: self.init("int8", "I8", "i1", "Char")
        case 8: self.init("uint8", "U8", "u1", "Byte")
        case 9: self.init("bool", "BOOL", "b1", "Bool")
        case 10: self.init("complex64", "C64", "c8", "ComplexFloat")
        case 11: self.init("complex128", "C128", "c16", "ComplexDouble")
        case 12: self.init("complex32", "C32", "", "ComplexHalf")
        case 13: self.init("uint16", "U16", "u2", "")
        case 14: self.init("uint32", "U32", "u4", "")
        case 15: self.init("uint64", "U64", "u8", "")
        case 16: self.init("float8_e4m3fn", "F8_E4M3", "", "")
        case 17: self.init("float8_e5m2", "F8_E5M2", "", "")
        case 18: self.init("float8_e4m3fnuz", "F8_E4M3FNUZ", "", "")
        case 19: self.init("float8_e5m2fnuz", "F8_E5M2FNUZ", "", "")
        case 20: self.init("float8_e8m0fnu", "F8_E8M0", "", "")
        case 21: self.init("float4_e2m1fn_x2", "F4", "", "")
        case 22: self.init("float6_e2m3fn", "F6_E2M3", "", "")
        case 23: self.init("float6_e3m2fn", "F6_E3M2", "", "")
        case 24: self.init("qint8", "", "", "QInt8")
        case 25: self.init("quint8", "", "", "QUInt8")
        case 26: self.init("qint32", "", "", "QInt32")
        case 27: self.init("quint4x2", "", "", "QUInt4x2")
        default: self.init("quint2x4", "", "", "QUInt2x4")
        }
    }

    /// The row whose `column` is a name; nil if it has none.
    static func row(of name: Bytes, _ column: (DTypeNames) -> StaticString) -> Int? {
        guard name.count > 0 else { return nil }
        for index in 0..<count where equal(name, column(DTypeNames(row: index))) { return index }
        return nil
    }
}

extension DType {
    /// Its row.
    var names: DTypeNames { DTypeNames(row: Int(rawValue)) }

    /// PyTorch's name of it.
    package var name: StaticString { names.torch }

    /// The type in a row; nil for an unsupported one.
    init?(row: Int) {
        guard let raw = UInt8(exactly: row), let dtype = DType(rawValue: raw) else { return nil }
        self = dtype
    }

    /// The type of a safetensors code; nil for unsupported ones.
    init?(safetensors name: Bytes) {
        guard let row = DTypeNames.row(of: name, { $0.safetensors }) else { return nil }
        self.init(row: row)
    }

    /// The type of a NumPy code without byte order; nil for unsupported ones.
    init?(numpy name: Bytes) {
        guard let row = DTypeNames.row(of: name, { $0.numpy }) else { return nil }
        self.init(row: row)
    }
}
