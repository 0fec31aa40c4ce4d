// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime
import Testing

@testable import Checkpoints

/// Names of the same tensor have the same identity, and no others do.
struct IdentityTests {
    /// The names of the only candidate of a file, those of the same identity together.
    private func groups(_ name: String) throws -> Set<Set<String>> {
        let file = try ByteFile(checkpoint: fixture(name))
        let checkpoint = try PickledCheckpoint(file.reference, Container.recognize(file.reference))
        let found = try checkpoint.candidates()
        #expect(found.list.count == 1)
        var listing = CandidateListing()
        let tensors = try checkpoint.tensors(of: found.list[0], &listing)
        let candidate = try Candidate(key: UniqueArray(), tensors: tensors)
        var groups: Set<Set<String>> = []
        for index in 0..<candidate.count {
            let known = candidate.identity(index)
            let identity = try #require(known)
            let same = (0..<candidate.count).filter { candidate.identity($0) == identity }
            groups.insert(Set(same.map { String(decoding: candidate[$0], as: UTF8.self) }))
        }
        return groups
    }

    // Their generator is write_identities in pickled_objects.py.
    private static let expected: Set<Set<String>> = [
        ["a", "a.again", "a.view"], ["flat"], ["transposed"], ["rows", "rows.again"], ["copy"],
    ]

    @Test(arguments: ["identities.pth", "identities-tar.pth", "identities-views.pth"])
    func namesOfTheSameStorage(file: String) throws {
        #expect(try groups(file) == IdentityTests.expected)
    }

    @Test func namesOfTheSameArray() throws {
        #expect(try groups("identities-numpy.pkl") == [["a", "a.again"], ["copy"], ["b"]])
    }

    @Test func tensorsOfSafetensorsHaveNone() throws {
        let file = try ByteFile(checkpoint: fixture("ordered.safetensors"))
        let candidate = try Candidate(SafetensorsHeader.read(file.reference))
        #expect(candidate.count == 2)
        let identities = [candidate.identity(0), candidate.identity(1)]
        #expect(identities == [nil, nil])
    }
}
