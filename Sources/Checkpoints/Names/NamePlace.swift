// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// A place where a backbone may stand: a dict of tensors, what the backbone's names in it begin with, and whose names
/// they are.
struct NamePlace: BitwiseCopyable {
    let candidate: Int
    /// Borrowed from a name in the candidate, or from the caller.
    let prefix: Bytes
    let dialect: Dialect

    /// More places than anyone can choose from in a message.
    private static var limit: Int { 64 }

    /// Appends all places of a candidate where a stem and a first stage stand behind the same prefix.
    static func findAll(
        in candidate: borrowing Candidate, at index: Int, to places: inout UniqueArray<NamePlace>
    ) throws(BackboneError) {
        for number in 0..<Dialect.count {
            guard let dialect = Dialect(rawValue: number) else { continue }
            let stem = bytes(of: dialect.stem)
            for position in 0..<candidate.count where places.count < limit {
                let name = candidate[position]
                guard name.hasSuffix(dialect.stem) else { continue }
                let prefix = name.slice(0, name.count - stem.count)
                // A safetensors file may hold a name twice, which is an error of its own.
                if position > 0 && equal(name, candidate[position - 1]) { continue }
                if endsBetweenParts(prefix) && candidate.contains(prefix, dialect.firstStage) {
                    try places.append(NamePlace(candidate: index, prefix: prefix, dialect: dialect))
                }
            }
        }
    }

    /// "xconv1.weight" is no stem behind a prefix. Blobs of Caffe2 are behind scopes: "gpu_0/conv1_w".
    private static func endsBetweenParts(_ prefix: Bytes) -> Bool {
        guard let last = prefix.last else { return true }
        return last == UInt8(ascii: ".") || last == UInt8(ascii: "/")
    }

    /// Where the backbone stands if its names are not enough to be sure: behind a given prefix, or behind "module." if
    /// all names begin with it, in the dialect of the most names.
    static func mostLikely(
        in candidate: borrowing Candidate, at index: Int, prefix: Bytes?
    ) throws(BackboneError) -> NamePlace {
        let module: StaticString = candidate.allBegin(with: "module.") ? "module." : ""
        var best = NamePlace(candidate: index, prefix: prefix ?? bytes(of: module), dialect: .torchvision)
        var highest = try best.score(in: candidate)
        for number in 1..<Dialect.count {
            guard let dialect = Dialect(rawValue: number) else { continue }
            let place = NamePlace(candidate: index, prefix: best.prefix, dialect: dialect)
            let score = try place.score(in: candidate)
            if score > highest { (best, highest) = (place, score) }
        }
        return best
    }

    /// How many names stand for tensors of a ResNet here.
    func score(in candidate: borrowing Candidate) throws(BackboneError) -> Int {
        var count = 0
        var translated = UniqueArray<UInt8>()
        for position in 0..<candidate.count {
            let name = candidate[position]
            guard name.hasPrefix(prefix) else { continue }
            translated.removeAll()
            let rest = name.slice(prefix.count, name.count - prefix.count)
            if try dialect.translate(rest, to: &translated), isResNetName(translated.elements) { count += 1 }
        }
        return count
    }
}
