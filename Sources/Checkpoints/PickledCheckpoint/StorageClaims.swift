// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The properties of a pickle's storages, as claimed by its tensors.
struct StorageClaims: ~Copyable {
    private struct Claim {
        var key: TextRange
        var elementSize: Int
    }

    private let claims: UniqueArray<Claim>
    /// Indices of the claims, in the order of the keys, then in that of the pickle.
    private let order: UniqueArray<Int32>

    init(_ pickle: borrowing Pickle) throws(BackboneError) {
        var claims = UniqueArray<Claim>()
        for index in 0..<pickle.storages.count {
            let storage = pickle.storages[index]
            guard case .key(let text) = storage.source, let key = pickle.texts[Int(text)].value,
                let dtype = storage.dtype
            else { continue }
            try claims.append(Claim(key: key, elementSize: dtype.size))
        }
        let (list, text) = (claims.elements, pickle.text.elements)
        let order = try sorted(count: list.count) {
            let comparison = compare(text.slice(list[Int($0)].key), text.slice(list[Int($1)].key))
            return comparison != 0 ? comparison < 0 : $0 < $1
        }
        self.claims = claims
        self.order = order
    }

    /// The size of the elements of a storage, by the first tensor in it; nil without tensors.
    func elementSize(_ key: Bytes, _ pickle: borrowing Pickle) -> Int? {
        search(order.elements) { compare(pickle.text(claims[Int($0)].key), key) }.map { claims[$0].elementSize }
    }
}
