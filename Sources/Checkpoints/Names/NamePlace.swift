// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// A possible place of a network: a dict of tensors, the prefix of the network's names in it, and the grammar of these
/// names.
struct NamePlace: BitwiseCopyable {
    let candidate: Int
    /// Borrowed from a name in the candidate, or from the caller.
    let prefix: Bytes
    /// Index of the grammar.
    let grammar: Int

    /// More places than a message can list.
    private static var limit: Int { 64 }

    /// Appends all places of a candidate where both landmarks of a grammar have the same prefix.
    static func findAll(
        in candidate: borrowing Candidate, at index: Int, _ grammars: borrowing UniqueArray<NameRules>,
        to places: inout UniqueArray<NamePlace>
    ) throws(BackboneError) {
        for grammar in 0..<grammars.count {
            for number in 0..<grammars[grammar].places.count {
                let landmarks = grammars[grammar].places[number]
                for position in 0..<candidate.count where places.count < limit {
                    let name = candidate[position]
                    guard name.hasSuffix(landmarks.first) else { continue }
                    let prefix = name.slice(0, name.count - landmarks.first.count)
                    // A safetensors file may hold a name twice, which is an error of its own.
                    if position > 0 && equal(name, candidate[position - 1]) { continue }
                    guard endsBetweenParts(prefix), candidate.contains(prefix, landmarks.second),
                        !candidate.contains(prefix, anyOf: landmarks.absent)
                    else { continue }
                    let place = NamePlace(candidate: index, prefix: prefix, grammar: grammar)
                    if !place.isAmong(places) { try places.append(place) }
                }
            }
        }
    }

    private func isAmong(_ places: borrowing UniqueArray<NamePlace>) -> Bool {
        for other in places.elements
        where other.candidate == candidate && other.grammar == grammar && equal(other.prefix, prefix) { return true }
        return false
    }

    /// "xconv1.weight" is not "conv1.weight" with a prefix. Blobs of Caffe2 have scopes: "gpu_0/conv1_w".
    private static func endsBetweenParts(_ prefix: Bytes) -> Bool {
        guard let last = prefix.last else { return true }
        return last == UInt8(ascii: ".") || last == UInt8(ascii: "/")
    }

    /// The place of a network with too few names to be certain: after a given prefix, or after "module." if all names
    /// begin with it, in the grammar that knows the most names.
    static func mostLikely(
        in candidate: borrowing Candidate, at index: Int, _ grammars: borrowing UniqueArray<NameRules>, prefix: Bytes?
    ) throws(BackboneError) -> (place: NamePlace, score: Int) {
        let module: StaticString = candidate.allBegin(with: "module.") ? "module." : ""
        let prefix = prefix ?? bytes(of: module)
        var best = NamePlace(candidate: index, prefix: prefix, grammar: 0)
        var highest = try best.score(in: candidate, grammars)
        for grammar in 1..<max(grammars.count, 1) {
            let place = NamePlace(candidate: index, prefix: prefix, grammar: grammar)
            let score = try place.score(in: candidate, grammars)
            if score > highest { (best, highest) = (place, score) }
        }
        return (best, highest)
    }

    /// The number of names here that are tensors of a network.
    private func score(
        in candidate: borrowing Candidate, _ grammars: borrowing UniqueArray<NameRules>
    ) throws(BackboneError) -> Int {
        var count = 0
        var translated = UniqueArray<UInt8>()
        for position in 0..<candidate.count {
            translated.removeAll()
            if try translate(candidate[position], grammars, to: &translated) == .known { count += 1 }
        }
        return count
    }

    /// Appends our name for a name of the candidate.
    func translate(
        _ name: Bytes, _ grammars: borrowing UniqueArray<NameRules>, to out: inout UniqueArray<UInt8>
    ) throws(BackboneError) -> NameRules.Translation {
        guard name.hasPrefix(prefix) else { return .unknown }
        return try grammars[grammar].translate(name.slice(prefix.count, name.count - prefix.count), to: &out)
    }
}
