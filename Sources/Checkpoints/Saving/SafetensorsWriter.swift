// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Writes tensors to a safetensors file, which appears at `path` only when it is complete.
///
/// The header has the names in the order given. Numbers of eight bytes come first in the file and the header is padded
/// to a multiple of eight, so that every number is at a multiple of its size in a mapped file.
///
/// - Throws: `fileNotFound` for a missing folder, `io`, `outOfMemory`; an existing file is then unchanged.
func writeSafetensors(
    _ tensors: UnsafeBufferPointer<TensorSource>, to path: UnsafePointer<CChar>
) throws(BackboneError) {
    let header = try safetensorsHeader(tensors)
    var file = try ReplacementFile(path: path)
    var length = UInt64(header.count).littleEndian
    try file.write(&length, count: 8)
    if let start = header.elements.baseAddress { try file.write(start, count: header.count) }
    for index in 0..<tensors.count where tensors[index].dtype == .int64 { try file.write(tensors[index]) }
    for index in 0..<tensors.count where tensors[index].dtype != .int64 { try file.write(tensors[index]) }
    try file.commit()
}

private func safetensorsHeader(
    _ tensors: UnsafeBufferPointer<TensorSource>
) throws(BackboneError) -> UniqueArray<UInt8> {
    // Wide numbers come first in the file.
    var wide: Int? = 0
    for index in 0..<tensors.count where tensors[index].dtype == .int64 { wide = checkedSum(wide, tensors[index].size) }
    var nextWide: Int? = 0
    var next = wide
    var json = UniqueArray<UInt8>()
    try json.append("{\"__metadata__\":{\"format\":\"pt\"}")
    for index in 0..<tensors.count {
        let tensor = tensors[index]
        let start = tensor.dtype == .int64 ? nextWide : next
        guard let start, let end = checkedSum(start, tensor.size) else {
            throw BackboneError(.invalidArgument, "tensor '\(tensor.name)' is too large for the format")
        }
        if tensor.dtype == .int64 { nextWide = end } else { next = end }
        try json.append(",")
        try json.append(json: tensor.name)
        try json.append(":{\"dtype\":\"")
        try json.append(tensor.dtype.names.safetensors)
        try json.append("\",\"shape\":[")
        for axis in 0..<tensor.shape.count {
            if axis > 0 { try json.append(",") }
            try json.append(message: "\(tensor.shape[axis].magnitude)")
        }
        try json.append("],\"data_offsets\":[")
        try json.append(message: "\(start)")
        try json.append(",")
        try json.append(message: "\(end)")
        try json.append("]}")
    }
    try json.append("}")
    while json.count % 8 != 0 { try json.append(" ") }
    return json
}
