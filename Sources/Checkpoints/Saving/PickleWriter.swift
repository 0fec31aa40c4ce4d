// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Writes a pickle of protocol 2, with the instructions that `torch.save` uses for a state dict.
struct PickleWriter: ~Copyable {
    /// Repeated values: written once, and then recalled from the memo slot of the raw value.
    enum Shared: UInt8 {
        case orderedDict, rebuildTensor, floatStorage, longStorage, storage, cpu, version
    }

    private(set) var bytes = UniqueArray<UInt8>()
    /// A bit for each `Shared` that has been written.
    private var written: UInt8 = 0

    init() throws(BackboneError) {
        try write(.proto)
        try bytes.append(2)
    }

    consuming func finish() throws(BackboneError) -> UniqueArray<UInt8> {
        try write(.stop)
        return bytes
    }

    mutating func write(_ opcode: Opcode) throws(BackboneError) { try bytes.append(opcode.rawValue) }

    mutating func write(_ shared: Shared) throws(BackboneError) {
        if written >> shared.rawValue & 1 != 0 {
            try write(.binGet)
        } else {
            written |= 1 << shared.rawValue
            switch shared {
            case .orderedDict: try write(global: "collections\nOrderedDict\n")
            case .rebuildTensor: try write(global: "torch._utils\n_rebuild_tensor_v2\n")
            case .floatStorage: try write(storageClassOf: .float32)
            case .longStorage: try write(storageClassOf: .int64)
            case .storage: try write(text: Runtime.bytes(of: "storage"))
            case .cpu: try write(text: Runtime.bytes(of: "cpu"))
            case .version: try write(text: Runtime.bytes(of: "version"))
            }
            try write(.binPut)
        }
        try bytes.append(shared.rawValue)
    }

    /// `OrderedDict()`
    mutating func writeOrderedDict() throws(BackboneError) {
        try write(.orderedDict)
        try write(.emptyTuple)
        try write(.reduce)
    }

    private mutating func write(global name: StaticString) throws(BackboneError) {
        try write(.global)
        try bytes.append(name)
    }

    private mutating func write(storageClassOf dtype: DType) throws(BackboneError) {
        try write(global: "torch\n")
        try bytes.append(dtype.names.classPrefix)
        try bytes.append("Storage\n")
    }

    /// - Parameter text: UTF-8.
    mutating func write(text: Bytes) throws(BackboneError) {
        try write(.binUnicode)
        try bytes.append(littleEndian: UInt32(truncatingIfNeeded: text.count))
        try bytes.append(text)
    }

    mutating func write(_ number: Double) throws(BackboneError) {
        try write(.binFloat)
        try bytes.append(littleEndian: number.bitPattern.byteSwapped)
    }

    /// A number that is not negative, in its shortest form.
    mutating func write(natural number: Int) throws(BackboneError) {
        if let byte = UInt8(exactly: number) {
            try write(.binInt1)
            try bytes.append(byte)
        } else if let half = UInt16(exactly: number) {
            try write(.binInt2)
            try bytes.append(littleEndian: half)
        } else if let word = Int32(exactly: number) {
            try write(.binInt)
            try bytes.append(littleEndian: UInt32(bitPattern: word))
        } else {
            try write(.long1)
            try bytes.append(8)
            try bytes.append(littleEndian: UInt64(truncatingIfNeeded: number))
        }
    }
}

extension UniqueArray where Element == UInt8 {
    mutating func append<Integer: FixedWidthInteger & BitwiseCopyable>(littleEndian number: Integer)
        throws(BackboneError)
    {
        for byte in 0..<MemoryLayout<Integer>.size { try append(UInt8(truncatingIfNeeded: number >> (8 * byte))) }
    }
}
