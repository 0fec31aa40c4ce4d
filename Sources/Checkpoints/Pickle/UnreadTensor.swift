// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The unsupported kinds of tensors, and how to save them in a supported one.
enum UnreadTensor: UInt8 {
    /// A tensor of a dtype of `DTypeNames`: the detail is its row.
    case dtype
    /// A tensor of a dtype that has no row: the detail is its global.
    case unknownDType
    /// A NumPy array of another dtype: the detail is a text, the dtype's code.
    case array
    /// `torch.quantize_per_tensor` and its like.
    case quantised
    /// COO, CSR and so on.
    case sparse
    case nested
    /// A tensor on the device "meta", or the parameter of a lazy module.
    case meta
    /// A tensor with a lazy negation or conjugation.
    case lazyView
    /// `DTensor`: one rank has a part of it.
    case distributed
    /// `ShardedTensor`, the predecessor of `DTensor`.
    case sharded
    /// A subclass of tensors that has none of its own values: the detail is its class.
    case wrapper
    /// A tensor of another device, with values saved in another kind of dtype than its own.
    case converted

    /// The kind of a class of tensors, nil for a class of any other objects.
    init?(class name: Bytes, of module: Bytes) {
        if equal(name, "DTensor"), module.hasPrefix("torch.distributed") {
            self = .distributed
        } else if equal(name, "ShardedTensor"), module.hasPrefix("torch.distributed") {
            self = .sharded
        } else if equal(name, "UninitializedParameter") || equal(name, "UninitializedBuffer"),
            equal(module, "torch.nn.parameter")
        {
            self = .meta
        } else if equal(name, "NestedTensor"), module.hasPrefix("torch.nested") {
            self = .nested
        } else {
            return nil
        }
    }

    /// The kind of the result of a function of `torch._utils`, nil for any other function.
    init?(rebuild name: Bytes) {
        if equal(name, "_rebuild_qtensor") {
            self = .quantised
        } else if equal(name, "_rebuild_sparse_tensor") || equal(name, "_rebuild_sparse_csr_tensor") {
            self = .sparse
        } else if equal(name, "_rebuild_nested_tensor") {
            self = .nested
        } else if equal(name, "_rebuild_meta_tensor_no_storage") {
            self = .meta
        } else if equal(name, "_rebuild_wrapper_subclass") {
            self = .wrapper
        } else {
            return nil
        }
    }
}

// The text of a message after "'conv1.weight' is".
extension UnreadTensor {
    /// A tensor in row `row` of `DTypeNames`.
    private static func describe(row: Int) -> Message {
        let name = DTypeNames(row: row).torch
        // Names of quantised dtypes begin with q, those of complex ones with c.
        switch name.utf8Start.pointee {
        case UInt8(ascii: "q"):
            return "a quantised \(name) tensor, which is not supported; save it after .dequantize()"
        case UInt8(ascii: "c"): return "a complex tensor (\(name)), which is not supported; save its .real"
        default: return "a \(name) tensor, which is not supported; save it after .float()"
        }
    }

    /// A tensor of an unsupported safetensors dtype.
    static func describe(safetensors code: Bytes) -> Message {
        if let row = DTypeNames.row(of: code, { $0.safetensors }) { return describe(row: row) }
        return "a tensor of dtype \(code), which is not supported; save it after .float()"
    }

    fileprivate func describe(_ detail: UInt32, in pickle: borrowing Pickle) -> Message {
        switch self {
        case .dtype: return UnreadTensor.describe(row: Int(detail))
        case .unknownDType:
            let global = pickle.globals[Int(detail)]
            return "a \(pickle.text(global.name)) tensor, which is not supported; save it after .float()"
        case .array:
            let code = pickle.texts[Int(detail)].value.map { pickle.text($0) } ?? Bytes(start: nil, count: 0)
            if let row = DTypeNames.row(of: code, { $0.numpy }) {
                return
                    """
                    a NumPy array of \(DTypeNames(row: row).torch), which is not supported; save it after \
                    .astype('f4')
                    """
            }
            return "a NumPy array of dtype '\(code)', which is not supported; save it after .astype('f4')"
        case .quantised: return "a quantised tensor, which is not supported; save it after .dequantize()"
        case .sparse: return "a sparse tensor, which is not supported; save it after .to_dense()"
        case .nested: return "a nested tensor, which is not supported; save the tensors of its .unbind()"
        case .meta:
            return
                "a tensor without values (device 'meta' or a lazy module); save the model once its weights exist"
        case .lazyView:
            return "a conjugated or negated view, which is not supported; save it after .resolve_conj().resolve_neg()"
        case .distributed: return "a DTensor, which has one rank's part; save it after .full_tensor()"
        case .sharded:
            return "a ShardedTensor, which has one rank's part; save a full state dict (FULL_STATE_DICT)"
        case .wrapper:
            guard detail != PickleValue.none else {
                return "a tensor of a subclass, which is not supported; save a plain tensor of its values"
            }
            let type = pickle.globals[Int(detail)]
            let module = pickle.text(type.module)
            let advice: StaticString =
                module.hasPrefix("torchao") ? "save it after .dequantize()" : "save a plain tensor of its values"
            return "a tensor of class \(module).\(pickle.text(type.name)), which is not supported; \(advice)"
        case .converted:
            return "a tensor of another device whose storage has another dtype; save it after .cpu()"
        }
    }
}

extension Pickle {
    /// A message's description of a tensor of an unsupported kind.
    func describe(unread value: PickleValue) -> Message {
        let kind = UnreadTensor(rawValue: UInt8(truncatingIfNeeded: value.first)) ?? .wrapper
        return kind.describe(value.second, in: self)
    }
}

extension PickleValue {
    /// A tensor of an unsupported kind.
    init(_ kind: UnreadTensor, detail: UInt32 = PickleValue.none) {
        self.init(.unread, Int(kind.rawValue), detail)
    }
}
