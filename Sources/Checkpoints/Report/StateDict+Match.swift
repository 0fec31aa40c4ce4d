// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

extension StateDict {
    /// Compares the tensors that a network expects with those of the file. No values are read yet.
    ///
    /// - Parameters:
    ///   - expected: in the order of the network.
    ///   - hasDefaults: whether missing statistics get their default values.
    ///   - classify: the class of a tensor of the file that is not loaded: unexpected or ignorable.
    /// - Returns: the result, whether it is good or bad.
    /// - Throws: `badCheckpoint` naming the tensor if a needed value is not a tensor or has integers in place of
    ///   floats; `outOfMemory`.
    package func match(
        _ expected: borrowing UniqueArray<ExpectedTensor>, hasDefaults: Bool = false,
        _ classify: (Int) throws(BackboneError) -> LoadReport.NameClass
    ) throws(BackboneError) -> LoadReport {
        var report = try LoadReport(of: self)
        var isUsed = try UniqueArray<Bool>(repeating: false, count: count)
        // The last loaded tensor in each storage.
        var users = try UniqueArray<Int32>(repeating: -1, count: catalog.storages.count)
        for position in 0..<expected.count {
            let wanted = expected[position]
            var match: LoadReport.Match?
            if let index = find(wanted.name) {
                match = LoadReport.Match(expected: position, tensor: index)
            } else if wanted.kind == .float32, let found = try composition(of: wanted.name) {
                match = LoadReport.Match(expected: position, tensor: found.main, form: found.form)
            }
            guard let match else {
                let isDefault = hasDefaults && wanted.isStatistic
                try report.append(
                    isDefault || wanted.mayBeMissing ? .ignorable : .missing, name: wanted.name, expected: wanted.shape,
                    actual: nil)
                if isDefault { try report.appendDefault(position) }
                continue
            }
            isUsed[match.tensor] = true
            let storage = catalog.entries[match.tensor].storage
            if storage >= 0 { users[Int(storage)] = Int32(match.tensor) }
            mark(match.form, in: &isUsed)
            if wanted.kind == .int64 {
                let isNumber = dtype(match.tensor) != nil && elementCount(match.tensor) == 1
                try report.append(
                    isNumber ? .loaded : .ignorable, name: wanted.name, expected: wanted.shape,
                    actual: isNumber ? wanted.shape : nil, match: match)
                continue
            }
            try checkType(of: match.tensor)
            if let part = misfit(match.form, main: match.tensor) { throw misfitting(part, main: match.tensor) }
            try report.append(
                fits(match.tensor, wanted) ? .loaded : .mismatched, name: wanted.name, expected: wanted.shape,
                actual: shape(match.tensor),
                match: match)
        }
        for index in 0..<count where !isUsed[index] && catalog.entries[index].isTensor {
            // A second name of a loaded tensor is not reported.
            let isRepeated = isSame(index, Int(users[Int(catalog.entries[index].storage)]))
            let isOfNoConsequence = isRepeated || isOutside(index) || isDropped(index)
            try report.append(
                isOfNoConsequence ? .ignorable : try classify(index), name: nameInFile(index), expected: nil,
                actual: shape(index))
        }
        try report.finish()
        return report
    }

    /// The number of elements of tensor `index`.
    package func elementCount(_ index: Int) -> Int { catalog.elementCount(index) }

    /// - Throws: `badCheckpoint` if a needed tensor cannot be read as floats.
    package func checkType(of index: Int) throws(BackboneError) {
        let name = name(index) ?? nameInFile(index)
        guard let dtype = dtype(index) else {
            throw located(BackboneError(.badCheckpoint, "'\(name)' is \(obstacle(index))"))
        }
        guard dtype.isFloatingPoint else {
            throw located(
                BackboneError(
                    .badCheckpoint, "tensor '\(name)' is \(dtype.name), expected floating point; save it after .float()"
                ))
        }
    }

    /// Whether two tensors are the same bytes in the same shape.
    private func isSame(_ index: Int, _ other: Int) -> Bool {
        guard other >= 0 else { return false }
        let (entry, otherEntry) = (catalog.entries[index], catalog.entries[other])
        return entry.storage == otherEntry.storage && entry.offset == otherEntry.offset
            && entry.dtype == otherEntry.dtype && sameSizes(shape(index), shape(other))
            && sameSizes(catalog.strides(index), catalog.strides(other))
    }

    private func misfitting(_ part: Int, main: Int) -> BackboneError {
        guard let dtype = dtype(part), dtype.isFloatingPoint else {
            let what: Message = dtype(part).map { "of \($0.name)" } ?? "\(obstacle(part))"
            return located(
                BackboneError(.badCheckpoint, "'\(nameInFile(part))' is \(what), expected floating point"))
        }
        return located(
            BackboneError(
                .badCheckpoint,
                """
                '\(nameInFile(part))' of shape \(shape: shape(part)) does not fit '\(nameInFile(main))' of shape \
                \(shape: shape(main))
                """))
    }

    /// Whether a tensor has the wanted shape. Shapes must be equal: [] is not [1], and nothing is broadcast.
    private func fits(_ index: Int, _ wanted: ExpectedTensor) -> Bool {
        let (found, expected) = (shape(index), wanted.shape)
        guard found.count == expected.count else { return false }
        for axis in 0..<found.count where found[axis] != expected[axis] {
            guard axis == 1, let most = wanted.mostChannels, (1...most).contains(found[axis]) else { return false }
        }
        return true
    }
}
