// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// Arrays and scalars of NumPy, whose values are in the pickle itself.
extension Unpickler {
    /// `dtype('f4', align, copy)`; nil if the code is not a text.
    mutating func makeArrayType(_ code: UInt32) throws(BackboneError) -> UInt32? {
        guard let name = pickle.string(code) else { return nil }
        guard let dtype = DType(numpy: name) else {
            return try make(PickleValue(.array, detail: pickle[code].first))
        }
        return try make(PickleValue(.arrayType, Int(dtype.rawValue), 0))
    }

    /// The state of a dtype: `(version, '<', ...)`.
    mutating func setByteOrder(of type: UInt32, _ state: PickleValue) {
        guard let order = pickle.item(1, of: state).flatMap({ pickle.string($0) }) else { return }
        pickle.values[Int(type)].second = equal(order, ">") ? 1 : 0
    }

    /// The state of an array: `(version, shape, dtype, is_fortran, data)`, before NumPy 1.0 without a version.
    mutating func setArrayState(of object: UInt32, _ state: PickleValue) throws(BackboneError) {
        let first = state.second == 4 ? 0 : 1
        guard let shape = pickle.item(first, of: state), let type = pickle.item(first + 1, of: state),
            let isFortran = pickle.item(first + 2, of: state), let data = pickle.item(first + 3, of: state)
        else { throw damaged("an array without shape, dtype or data") }
        let order: Pickle.Tensor.Order =
            pickle.isTrue(isFortran) || pickle.integer(isFortran) == 1 ? .columnMajor : .rowMajor
        guard let array = try array(shape: shape, type: type, order, data: data) else { return }
        pickle.values[Int(object)] = array
    }

    /// `_frombuffer(data, dtype, shape, order, axis_order=None)`
    mutating func makeArray(fromBuffer arguments: PickleValue) throws(BackboneError) -> UInt32? {
        guard let data = pickle.item(0, of: arguments), let type = pickle.item(1, of: arguments),
            let shape = pickle.item(2, of: arguments),
            let order = pickle.item(3, of: arguments).flatMap({ pickle.string($0) })
        else { return nil }
        if equal(order, "K"), let axes = pickle.item(4, of: arguments), pickle[axes].kind == .tuple {
            return try makeArray(shape: shape, type: type, .transposed(axes), data: data)
        }
        guard equal(order, "C") || equal(order, "F") else { return nil }
        let isFortran = equal(order, "F")
        return try makeArray(shape: shape, type: type, isFortran ? .columnMajor : .rowMajor, data: data)
    }

    /// `scalar(dtype, data)`: an array without dimensions.
    mutating func makeScalar(_ arguments: PickleValue) throws(BackboneError) -> UInt32? {
        guard let type = pickle.item(0, of: arguments), let data = pickle.item(1, of: arguments) else { return nil }
        let shape = try make(PickleValue(.tuple, pickle.items.count, 0))
        return try makeArray(shape: shape, type: type, .rowMajor, data: data)
    }

    private mutating func makeArray(
        shape: UInt32, type: UInt32, _ order: Pickle.Tensor.Order, data: UInt32
    ) throws(BackboneError) -> UInt32? {
        guard let array = try array(shape: shape, type: type, order, data: data) else { return nil }
        return try make(array)
    }

    /// Nil for other values.
    private mutating func array(
        shape: UInt32, type: UInt32, _ order: Pickle.Tensor.Order, data: UInt32
    ) throws(BackboneError) -> PickleValue? {
        let (type, data) = (pickle[type], pickle[data])
        if type.kind == .unread { return type }
        guard type.kind == .arrayType, data.kind == .bytes || data.kind == .string,
            let dtype = DType(rawValue: UInt8(truncatingIfNeeded: type.first))
        else { return nil }
        guard pickle[shape].kind == .tuple else { throw damaged("an array without a shape") }
        try pickle.storages.append(
            Pickle.Storage(source: .bytes(data.first), dtype: dtype, isReversed: type.second == 1))
        try pickle.tensors.append(
            Pickle.Tensor(storage: UInt32(pickle.storages.count - 1), sizes: shape, order: order))
        return PickleValue(.tensor, pickle.tensors.count - 1)
    }
}
