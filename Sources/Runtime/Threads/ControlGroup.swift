// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The beginning of a text file of the system, as far as it fits; empty if it cannot be read.
struct SmallFile: ~Copyable {
    private let contents: Buffer<UInt8>
    private(set) var count = 0

    /// - Throws: `outOfMemory`.
    init() throws(BackboneError) {
        contents = try Buffer(count: 8192)
    }

    mutating func read(_ path: UnsafePointer<CChar>) {
        count = 0
        let file = shims_open_for_reading(path)
        guard file >= 0 else { return }
        while count < contents.count {
            let got = CShims.read(file, contents.start + count, contents.count - count)
            if got <= 0 { break }
            count += got
        }
        close(file)
    }

    func bytes(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: contents.start + range.lowerBound, count: range.count)
    }

    func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int? {
        for index in range where contents.start[index] == byte { return index }
        return nil
    }

    /// The line at `position`, which moves past it; nil at the end.
    func line(after position: inout Int) -> Range<Int>? {
        guard position < count else { return nil }
        let start = position
        let end = firstIndex(of: UInt8(ascii: "\n"), in: start..<count) ?? count
        position = end + 1
        return start..<end
    }

    /// The decimal number at `position`, after spaces; nil if it is something else or overflows Int.
    func number(after position: inout Int) -> Int? {
        while position < count, contents.start[position] == UInt8(ascii: " ") { position += 1 }
        var value: Int?
        while position < count {
            let digit = contents.start[position] &- UInt8(ascii: "0")
            guard digit <= 9 else { break }
            guard let shifted = checkedProduct(value ?? 0, 10), let sum = checkedSum(shifted, Int(digit)) else {
                return nil
            }
            value = sum
            position += 1
        }
        return value
    }
}

/// Reads the CPU quota of control groups.
struct ControlGroupReader: ~Copyable {
    private var path: UniqueArray<CChar>
    private var file: SmallFile

    /// - Throws: `outOfMemory`.
    init() throws(BackboneError) {
        file = try SmallFile()
        path = UniqueArray()
    }

    /// The smallest quota of the group at `path` and of those around it, in CPUs rounded up. A group that does not exist
    /// (inside a container the path may be the host's) has none.
    mutating func quota(
        hierarchy: UnsafePointer<CChar>, path group: UnsafeBufferPointer<UInt8>, isUnified: Bool
    ) -> Int? {
        do throws(BackboneError) {
            path.removeAll()
            try path.append(UnsafeBufferPointer(start: hierarchy, count: strlen(hierarchy)))
            if !isUnified { try append("/cpu") }
            let root = path.count
            for index in 0..<group.count { try path.append(CChar(bitPattern: group[index])) }
            var smallest: Int?
            while true {
                if let quota = try quota(isUnified: isUnified) { smallest = min(smallest ?? quota, quota) }
                guard path.count > root else { return smallest }
                while path.count > root, path.removeLast() != CChar(bitPattern: UInt8(ascii: "/")) {}
            }
        } catch {
            return nil
        }
    }

    /// The quota of the group that `path` names. Version 2 has the file `cpu.max` with `quota period` or `max period`;
    /// version 1 has a file for each, and -1 for no limit.
    private mutating func quota(isUnified: Bool) throws(BackboneError) -> Int? {
        var position = 0
        try read(isUnified ? "/cpu.max" : "/cpu.cfs_quota_us")
        guard let quota = file.number(after: &position) else { return nil }
        if !isUnified {
            position = 0
            try read("/cpu.cfs_period_us")
        }
        guard let period = file.number(after: &position), period > 0 else { return nil }
        return quota / period + (quota % period > 0 ? 1 : 0)
    }

    private mutating func read(_ name: StaticString) throws(BackboneError) {
        let length = path.count
        try append(name)
        try path.append(0)
        if let start = path.elements.baseAddress { file.read(start) }
        while path.count > length { _ = path.removeLast() }
    }

    private mutating func append(_ text: StaticString) throws(BackboneError) {
        for index in 0..<text.utf8CodeUnitCount { try path.append(CChar(bitPattern: text.utf8Start[index])) }
    }
}
