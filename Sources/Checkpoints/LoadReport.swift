// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// What matching a checkpoint with a network found, name by name. It owns all its text and outlives both.
// Public: see UniqueArray.
public struct LoadReport: ~Copyable {
    /// The classes of names, with the numbers of the `BACKBONE_REPORT_*` constants.
    package enum NameClass: Int32, Sendable {
        case loaded = 0
        case missing = 1
        case unexpected = 2
        case ignorable = 3
        case mismatched = 4

        static var count: Int { 5 }
    }

    /// The properties of a file, with the numbers of the `BACKBONE_REPORT_*` constants.
    package enum Property: Int32, Sendable {
        case container = 0
        case wrapper = 1
        case prefix = 2
    }

    /// A name of which both sides know: indices into the list of expected tensors and into the state dict.
    package struct Match {
        package let expected: Int
        package let tensor: Int
    }

    /// A name and its shapes, as pointers that are valid as long as the report.
    package struct Entry {
        package let name: UnsafePointer<CChar>
        /// The number of dimensions in the network, -1 where it has no such name.
        package let expectedRank: Int32
        /// The number of dimensions in the file, -1 where it has no such name.
        package let actualRank: Int32
        /// `LoadReport.shapeCapacity` sizes, 0 beyond the rank.
        package let expectedShape: UnsafePointer<Int64>
        package let actualShape: UnsafePointer<Int64>
    }

    /// How many sizes of a shape are kept.
    package static var shapeCapacity: Int { 8 }

    // Not private: the compiler must see it from other modules to free the table that holds it.
    struct Record {
        var nameClass: NameClass
        var name: Int
        var expectedRank: Int32
        var actualRank: Int32
        var match: Match?
    }

    private var records = UniqueArray<Record>()
    /// Two shapes of `shapeCapacity` sizes for each record: expected, actual.
    private var shapes = UniqueArray<Int64>()
    /// Strings with their terminating zeros.
    private var text = UniqueArray<UInt8>()
    /// The records' indices, class by class in the order in which they came.
    private var order = UniqueArray<Int32>()
    /// Where each class begins in `order`, and where the last ends.
    private var starts: [6 of Int] = .init(repeating: 0)
    private let container: StaticString
    private let wrapper: StaticString
    private let prefix: StaticString
    private let path: Int

    init(of dict: borrowing StateDict) throws(BackboneError) {
        container = dict.container.name
        wrapper = dict.wrapper
        prefix = dict.prefix
        path = 0
        for index in 0..<dict.path.count { try text.append(UInt8(bitPattern: dict.path[index])) }
    }

    mutating func append(
        _ nameClass: NameClass, name: Bytes, expected: UnsafeBufferPointer<Int64>?,
        actual: UnsafeBufferPointer<Int64>?, match: Match? = nil
    ) throws(BackboneError) {
        let start = text.count
        try text.append(name)
        try text.append(0)
        try append(expected)
        try append(actual)
        try records.append(
            Record(
                nameClass: nameClass, name: start, expectedRank: expected.map { Int32($0.count) } ?? -1,
                actualRank: actual.map { Int32($0.count) } ?? -1, match: match))
    }

    private mutating func append(_ shape: UnsafeBufferPointer<Int64>?) throws(BackboneError) {
        for axis in 0..<LoadReport.shapeCapacity {
            if let shape, axis < shape.count { try shapes.append(shape[axis]) } else { try shapes.append(0) }
        }
    }

    /// Sorts the records by class, after the last was appended.
    mutating func finish() throws(BackboneError) {
        try order.reserve(records.count)
        for nameClass in 0..<NameClass.count {
            starts[nameClass] = order.count
            for index in 0..<records.count where records[index].nameClass.rawValue == nameClass {
                try order.append(Int32(index))
            }
        }
        starts[NameClass.count] = order.count
    }
}

extension LoadReport {
    package func count(of nameClass: NameClass) -> Int {
        let index = Int(nameClass.rawValue)
        return starts[index + 1] - starts[index]
    }

    private func recordIndex(_ nameClass: NameClass, _ index: Int) -> Int? {
        guard index >= 0, index < count(of: nameClass) else { return nil }
        return Int(order[starts[Int(nameClass.rawValue)] + index])
    }

    /// Name `index` of a class, in the network's order, then in the file's; nil if there are not so many.
    package func entry(_ nameClass: NameClass, _ index: Int) -> Entry? {
        guard let position = recordIndex(nameClass, index), let sizes = shapes.elements.baseAddress else { return nil }
        let record = records[position]
        let expectedShape = sizes + 2 * position * LoadReport.shapeCapacity
        return Entry(
            name: string(at: record.name), expectedRank: record.expectedRank, actualRank: record.actualRank,
            expectedShape: expectedShape, actualShape: expectedShape + LoadReport.shapeCapacity)
    }

    /// Loaded name `index`: which expected tensor is to be read from which one of the file. The index must be below
    /// the count of loaded names.
    package func match(_ index: Int) -> Match {
        guard let position = recordIndex(.loaded, index), let match = records[position].match else {
            preconditionFailure("no such loaded name")
        }
        return match
    }

    /// A property of the file as a string that lives as long as the report.
    package func property(_ property: Property) -> UnsafePointer<CChar> {
        let text: StaticString
        switch property {
        case .container: text = container
        case .wrapper: text = wrapper
        case .prefix: text = prefix
        }
        return UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
    }

    private func string(at start: Int) -> UnsafePointer<CChar> {
        UnsafeRawPointer(text.elements.baseAddress.unsafelyUnwrapped + start).assumingMemoryBound(to: CChar.self)
    }

    /// Decides whether the checkpoint may be loaded.
    ///
    /// - Parameter strict: whether missing and unexpected names are errors too.
    /// - Throws: `mismatch` where shapes differ, where no name is of the network, and for what `strict` forbids.
    package func verdict(strict: Bool) throws(BackboneError) {
        let location = string(at: path)
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

extension LoadReport.Entry {
    fileprivate var expected: UnsafeBufferPointer<Int64> { shape(expectedShape, expectedRank) }
    fileprivate var actual: UnsafeBufferPointer<Int64> { shape(actualShape, actualRank) }

    private func shape(_ sizes: UnsafePointer<Int64>, _ rank: Int32) -> UnsafeBufferPointer<Int64> {
        UnsafeBufferPointer(start: sizes, count: min(max(Int(rank), 0), LoadReport.shapeCapacity))
    }
}
