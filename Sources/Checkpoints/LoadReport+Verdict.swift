// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension LoadReport {
    /// Decides whether the checkpoint may be loaded.
    ///
    /// - Parameter strict: whether missing and unexpected names are errors too.
    /// - Throws: `mismatch` where shapes differ, where no name is of the network, and for what `strict` forbids.
    package func verdict(strict: Bool) throws(BackboneError) {
        if let first = entry(.mismatched, 0) {
            var message: Message = """
                \(path: location): tensor '\(first.name)' has shape \(shape: first.actual), expected \
                \(shape: first.expected)
                """
            let total = count(of: .mismatched)
            if total > 1 { message = "\(message); \(total) tensors in all differ in shape" }
            throw BackboneError(.mismatch, message)
        }
        if count(of: .loaded) == 0 {
            var message: Message = "\(path: location): no name in it belongs to the network"
            if let found = entry(.unexpected, 0), let wanted = entry(.missing, 0) {
                message = "\(message): the first is '\(found.name)', expected '\(wanted.name)'"
            }
            throw BackboneError(.mismatch, message)
        }
        guard strict else { return }
        if let first = entry(.missing, 0) {
            throw BackboneError(
                .mismatch,
                "\(path: location): \(count(of: .missing)) names of the network are missing, the first is '\(first.name)'"
            )
        }
        if let first = entry(.unexpected, 0) {
            throw BackboneError(
                .mismatch,
                """
                \(path: location): \(count(of: .unexpected)) names do not belong to the network, the first is \
                '\(first.name)'
                """)
        }
    }
}
