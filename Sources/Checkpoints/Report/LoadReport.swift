// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// The result of matching a checkpoint with a network, name by name. It owns all its text and outlives both.
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
        case dialect = 3
        case depth = 4
        case baseChannels = 5
        case inputChannels = 6
        case dtype = 7
        case style = 8
        case inputConversion = 9
        case tensors = 10
        case architecture = 11
        case classes = 12
        case assumed = 13
        case optimizer = 14

        static var count: Int { 15 }
    }

    /// A name that both sides have: indices into the list of expected tensors and into the state dict.
    package struct Match {
        package let expected: Int
        /// The tensor itself, or its sources: see `TensorForm`.
        package let tensor: Int
        package var form = TensorForm.stored
    }

    /// A name and its shapes, as pointers that are valid as long as the report.
    package struct Entry {
        package let name: UnsafePointer<CChar>
        /// The number of dimensions in the network, -1 if it has no such name.
        package let expectedRank: Int32
        /// The number of dimensions in the file, -1 if it has no such name.
        package let actualRank: Int32
        /// `LoadReport.shapeCapacity` sizes, 0 beyond the rank.
        package let expectedShape: UnsafePointer<Int64>
        package let actualShape: UnsafePointer<Int64>
    }

    /// The number of stored sizes of a shape.
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
    /// The begin of each class in `order`, and the end of the last.
    private var starts: [6 of Int] = .init(repeating: 0)
    /// Expected tensors that get their default values.
    private var defaults = UniqueArray<Int>()
    /// The offset of each property in `text`.
    private var properties: [15 of Int] = .init(repeating: 0)
    /// The offset of each warning in `text`.
    private var warnings = UniqueArray<Int>()
    /// The whole report, see `renderJSON`.
    var json = UniqueArray<UInt8>()
    private let locationStart: Int

    init(of dict: borrowing StateDict) throws(BackboneError) {
        // Before the location is the empty text, which properties have until they are set.
        locationStart = 1
        try text.append(0)
        for index in 0..<dict.location.count { try text.append(UInt8(bitPattern: dict.location[index])) }
        try set(.container, bytes(of: dict.container.name))
        try set(.wrapper, dict.wrapper.elements)
        try set(.prefix, dict.prefix.elements)
        try set(.dialect, bytes(of: dict.grammarName))
        try set(.tensors, "\(dict.tensorCount)")
    }

    mutating func append(
        _ nameClass: NameClass, name: Bytes, expected: UnsafeBufferPointer<Int64>?,
        actual: UnsafeBufferPointer<Int64>?, match: Match? = nil
    ) throws(BackboneError) {
        let start = try append(name)
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

    /// Adds a text with its terminating zero, and returns its offset.
    private mutating func append(_ string: Bytes) throws(BackboneError) -> Int {
        let start = text.count
        try text.append(string)
        try text.append(0)
        return start
    }

    private mutating func append(_ message: Message) throws(BackboneError) -> Int {
        let start = text.count
        try text.append(message: message)
        try text.append(0)
        return start
    }

    /// Notes that an expected tensor that the file lacks gets its default value.
    mutating func appendDefault(_ expected: Int) throws(BackboneError) { try defaults.append(expected) }

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

// MARK: - Building

extension LoadReport {
    private mutating func set(_ property: Property, _ value: Bytes) throws(BackboneError) {
        properties[Int(property.rawValue)] = try append(value)
    }

    /// Sets a property; texts returned before become invalid.
    package mutating func set(_ property: Property, _ value: Message) throws(BackboneError) {
        properties[Int(property.rawValue)] = try append(value)
    }

    /// Adds a reason to doubt that the network computes what was trained.
    package mutating func warn(_ warning: Message) throws(BackboneError) {
        let start = try append(warning)
        try warnings.append(start)
    }
}

// MARK: - Reading

extension LoadReport {
    package func count(of nameClass: NameClass) -> Int {
        let index = Int(nameClass.rawValue)
        return starts[index + 1] - starts[index]
    }

    private func recordIndex(_ nameClass: NameClass, _ index: Int) -> Int? {
        guard index >= 0, index < count(of: nameClass) else { return nil }
        return Int(order[starts[Int(nameClass.rawValue)] + index])
    }

    /// Name `index` of a class, in the network's order, then in the file's; nil if the report has fewer.
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

    /// The number of expected tensors that get their default values.
    package var defaultCount: Int { defaults.count }

    /// The position of one of them in the list of expected tensors.
    package func expectedDefault(_ index: Int) -> Int { defaults[index] }

    /// A property of the file as a string that lives as long as the report.
    package func property(_ property: Property) -> UnsafePointer<CChar> {
        string(at: properties[Int(property.rawValue)])
    }

    package var warningCount: Int { warnings.count }

    /// Warning `index` as a string that lives as long as the report; nil if the report has fewer.
    package func warning(_ index: Int) -> UnsafePointer<CChar>? {
        index >= 0 && index < warnings.count ? string(at: warnings[index]) : nil
    }

    /// The path of the file, or its substitute in messages.
    package var location: UnsafePointer<CChar> { string(at: locationStart) }

    private func string(at start: Int) -> UnsafePointer<CChar> {
        UnsafeRawPointer(text.elements.baseAddress.unsafelyUnwrapped + start).assumingMemoryBound(to: CChar.self)
    }
}

extension LoadReport.Entry {
    package var expected: UnsafeBufferPointer<Int64> { shape(expectedShape, expectedRank) }
    package var actual: UnsafeBufferPointer<Int64> { shape(actualShape, actualRank) }

    private func shape(_ sizes: UnsafePointer<Int64>, _ rank: Int32) -> UnsafeBufferPointer<Int64> {
        UnsafeBufferPointer(start: sizes, count: min(max(Int(rank), 0), LoadReport.shapeCapacity))
    }
}
