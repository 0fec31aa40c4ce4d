// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The names of classes and functions that mean something in a checkpoint; of nothing else does the meaning matter.
enum PickleGlobal: Equatable {
    /// `OrderedDict`, `defaultdict`.
    case dict
    /// `set`, `frozenset`.
    case set
    /// `bytes`, `bytearray`.
    case bytes
    /// `_codecs.encode`, by which Python 3 writes bytes in protocols without them.
    case encode
    /// `copyreg._reconstructor` and `__newobj__`, which make an object of their first argument.
    case newObject

    case size
    case rebuildTensor
    case rebuildTensorWithType
    case rebuildParameter
    case rebuildFromType
    /// `torch.FloatTensor` and its like, as PyTorch wrote them before 0.4.
    case tensorClass
    /// `Parameter`, `Variable`.
    case parameterClass
    /// `torch.FloatStorage` and its like.
    case storage(DType)
    /// Its size counts bytes.
    case untypedStorage
    case dtype(DType)
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
        } else if equal(module, "builtins") || equal(module, "__builtin__") {
            if equal(name, "set") || equal(name, "frozenset") { self = .set }
            if equal(name, "bytes") || equal(name, "bytearray") { self = .bytes }
        } else if equal(module, "_codecs") {
            if equal(name, "encode") { self = .encode }
        } else if equal(module, "copyreg") || equal(module, "copy_reg") {
            if equal(name, "_reconstructor") || equal(name, "__newobj__") { self = .newObject }
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
                if let dtype = DType(class: name.slice(0, name.count - 7)) { self = .storage(dtype) }
            } else if name.hasSuffix("Tensor") {
                if DType(class: name.slice(0, name.count - 6)) != nil { self = .tensorClass }
            } else if let dtype = DType(torch: name) {
                self = .dtype(dtype)
            }
        }
    }
}

extension DType {
    /// The type of a class of storages or tensors, from what its name begins with.
    fileprivate init?(class name: Bytes) {
        if equal(name, "Float") {
            self = .float32
        } else if equal(name, "Half") {
            self = .float16
        } else if equal(name, "BFloat16") {
            self = .bfloat16
        } else if equal(name, "Double") {
            self = .float64
        } else if equal(name, "Long") {
            self = .int64
        } else if equal(name, "Int") {
            self = .int32
        } else if equal(name, "Short") {
            self = .int16
        } else if equal(name, "Char") {
            self = .int8
        } else if equal(name, "Byte") {
            self = .uint8
        } else if equal(name, "Bool") {
            self = .bool
        } else {
            return nil
        }
    }

    private static var all: [10 of DType] {
        [.float32, .float16, .bfloat16, .float64, .int64, .int32, .int16, .int8, .uint8, .bool]
    }

    /// The type of PyTorch's name of it.
    fileprivate init?(torch name: Bytes) {
        for index in 0..<10 where equal(name, DType.all[index].name) {
            self = DType.all[index]
            return
        }
        return nil
    }

    /// The type of NumPy's name of it without the order of bytes.
    init?(numpy name: Bytes) {
        if equal(name, "f4") {
            self = .float32
        } else if equal(name, "f2") {
            self = .float16
        } else if equal(name, "f8") {
            self = .float64
        } else if equal(name, "i8") {
            self = .int64
        } else if equal(name, "i4") {
            self = .int32
        } else if equal(name, "i2") {
            self = .int16
        } else if equal(name, "i1") {
            self = .int8
        } else if equal(name, "u1") {
            self = .uint8
        } else if equal(name, "b1") {
            self = .bool
        } else {
            return nil
        }
    }
}
