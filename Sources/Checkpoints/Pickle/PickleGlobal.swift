// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The classes and functions with a meaning in a checkpoint; all others are opaque.
enum PickleGlobal: Equatable {
    /// `dict`, `OrderedDict`, `defaultdict`.
    case dict
    /// `list`, `set`, `frozenset`.
    case list
    /// `UserDict`, whose items are in an attribute.
    case userDict
    /// `bytes`, `bytearray`.
    case bytes
    /// `_codecs.encode`, by which Python 3 writes bytes in protocols without them.
    case encode
    /// `copyreg.__newobj__`, which makes an object of its first argument with the others.
    case newObject
    /// `copyreg._reconstructor(class, base, value of the base)`, of protocols 0 and 1.
    case reconstructor

    case size
    case rebuildTensor
    case rebuildTensorWithType
    case rebuildParameter
    case rebuildFromType
    /// Rebuilds a tensor of another device from an array or tensor of the CPU.
    case rebuildFromDevice
    /// A function or class of unsupported tensors.
    case unread(UnreadTensor)
    /// `torch.FloatTensor` and its like, as PyTorch wrote them before 0.4.
    case tensorClass
    /// `Parameter`, `Variable`.
    case parameterClass
    /// `torch.FloatStorage` and its like.
    case storage(DType)
    /// A storage whose size counts bytes.
    case untypedStorage
    case dtype(DType)
    /// A storage or dtype of an unsupported type: its row of `DTypeNames`.
    case unreadDType(UInt8)
    /// A storage in bytes that `torch.save` has written: what a tensor becomes outside of `torch.save`.
    case loadFromBytes

    case arrayReconstruct
    case arrayFromBuffer
    case arrayScalar
    case arrayType
    case unknown

    init(module: Bytes, name: Bytes) {
        if module.hasPrefix("torch") {
            self = PickleGlobal(torch: module, name: name)
        } else if module.hasPrefix("numpy") {
            self = PickleGlobal(numpy: module, name: name)
        } else {
            self = PickleGlobal(python: module, name: name)
        }
    }

    private init(python module: Bytes, name: Bytes) {
        self = .unknown
        if equal(module, "collections") {
            if equal(name, "OrderedDict") || equal(name, "defaultdict") { self = .dict }
            if equal(name, "UserDict") { self = .userDict }
        } else if equal(module, "UserDict") {
            if equal(name, "UserDict") || equal(name, "IterableUserDict") { self = .userDict }
        } else if equal(module, "builtins") || equal(module, "__builtin__") {
            if equal(name, "dict") { self = .dict }
            if equal(name, "set") || equal(name, "frozenset") || equal(name, "list") { self = .list }
            if equal(name, "bytes") || equal(name, "bytearray") { self = .bytes }
        } else if equal(module, "_codecs") {
            if equal(name, "encode") { self = .encode }
        } else if equal(module, "copyreg") || equal(module, "copy_reg") {
            if equal(name, "__newobj__") { self = .newObject }
            if equal(name, "_reconstructor") { self = .reconstructor }
        }
    }

    private init(numpy module: Bytes, name: Bytes) {
        self = .unknown
        if equal(module, "numpy") {
            if equal(name, "dtype") { self = .arrayType }
        } else if equal(module, "numpy.core.multiarray") || equal(module, "numpy._core.multiarray") {
            if equal(name, "_reconstruct") { self = .arrayReconstruct }
            if equal(name, "scalar") { self = .arrayScalar }
        } else if equal(module, "numpy.core.numeric") || equal(module, "numpy._core.numeric") {
            if equal(name, "_frombuffer") { self = .arrayFromBuffer }
        }
    }

    private init(torch module: Bytes, name: Bytes) {
        self = .unknown
        if equal(module, "torch._utils") {
            if equal(name, "_rebuild_tensor_v2") || equal(name, "_rebuild_tensor") { self = .rebuildTensor }
            if equal(name, "_rebuild_tensor_v3") { self = .rebuildTensorWithType }
            if equal(name, "_rebuild_parameter") { self = .rebuildParameter }
            if equal(name, "_rebuild_parameter_with_state") { self = .rebuildParameter }
            if equal(name, "_rebuild_device_tensor_from_numpy") || equal(name, "_rebuild_xla_tensor")
                || equal(name, "_rebuild_device_tensor_from_cpu_tensor")
            {
                self = .rebuildFromDevice
            }
            if let kind = UnreadTensor(rebuild: name) { self = .unread(kind) }
        } else if equal(module, "torch._tensor") || equal(module, "torch.tensor") {
            // The second is the first's name before PyTorch 1.9.
            if equal(name, "_rebuild_from_type_v2") || equal(name, "_rebuild_from_type") { self = .rebuildFromType }
        } else if equal(module, "torch.storage") {
            if equal(name, "_load_from_bytes") { self = .loadFromBytes }
            if equal(name, "UntypedStorage") || equal(name, "_UntypedStorage") { self = .untypedStorage }
        } else if equal(module, "torch.nn.parameter") || equal(module, "torch.autograd.variable") {
            if equal(name, "Parameter") || equal(name, "Buffer") || equal(name, "Variable") { self = .parameterClass }
        } else if equal(module, "torch") || equal(module, "torch.cuda") {
            if equal(name, "Size") {
                self = .size
            } else if equal(name, "UntypedStorage") {
                self = .untypedStorage
            } else if name.hasSuffix("Storage") {
                guard let row = DTypeNames.row(of: name.slice(0, name.count - 7), { $0.classPrefix }) else { return }
                self = DType(row: row).map { .storage($0) } ?? .unreadDType(UInt8(row))
            } else if name.hasSuffix("Tensor") {
                let row = DTypeNames.row(of: name.slice(0, name.count - 6)) { $0.classPrefix }
                if let row, DType(row: row) != nil { self = .tensorClass }
            } else if let row = DTypeNames.row(of: name, { $0.torch }) {
                self = DType(row: row).map { .dtype($0) } ?? .unreadDType(UInt8(row))
            }
        }
        if self == .unknown, let kind = UnreadTensor(class: name, of: module) { self = .unread(kind) }
    }
}
