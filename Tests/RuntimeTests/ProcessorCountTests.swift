// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Foundation
import Testing

@testable import Runtime

@Suite struct ProcessorCountTests {
    @Test func isAtLeastOneAndAtMostTheAffinityMask() {
        #expect(ProcessorCount.available >= 1)
        #expect(ProcessorCount.available <= Int(shims_affinity_cpu_count()))
    }

    struct Case {
        let membership: String
        let files: [String: String]
        let quota: Int?
    }

    static let cases: [Case] = [
        // Version 2.
        Case(membership: "0::/\n", files: ["cpu.max": "150000 100000\n"], quota: 2),
        Case(membership: "0::/\n", files: ["cpu.max": "100000 100000\n"], quota: 1),
        Case(membership: "0::/\n", files: ["cpu.max": "100001 100000\n"], quota: 2),
        Case(membership: "0::/\n", files: ["cpu.max": "1000 100000\n"], quota: 1),
        Case(membership: "0::/\n", files: ["cpu.max": "max 100000\n"], quota: nil),
        Case(
            membership: "0::/a/b\n", files: ["a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"], quota: 3),
        Case(
            membership: "0::/a/b\n", files: ["a/b/cpu.max": "500000 100000\n", "a/cpu.max": "300000 100000"], quota: 3),
        Case(
            membership: "0::/a/b\n", files: ["a/b/cpu.max": "200000 100000\n", "a/cpu.max": "300000 100000"], quota: 2),
        Case(membership: "0::/not/here\n", files: ["cpu.max": "400000 100000\n"], quota: 4),
        // Version 1.
        Case(
            membership: "12:memory:/x\n4:cpu,cpuacct:/d\n0::/e\n",
            files: ["cpu/d/cpu.cfs_quota_us": "250000\n", "cpu/d/cpu.cfs_period_us": "100000\n"], quota: 3),
        Case(
            membership: "4:cpuacct,cpu:/host/path\n",
            files: ["cpu/cpu.cfs_quota_us": "700000\n", "cpu/cpu.cfs_period_us": "100000\n"], quota: 7),
        Case(
            membership: "4:cpu:/\n", files: ["cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"],
            quota: nil),
        Case(
            membership: "4:cpuset,cpuacct:/\n",
            files: ["cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"], quota: nil),
        // Garbage.
        Case(membership: "", files: ["cpu.max": "100000 100000\n"], quota: nil),
        Case(membership: "0", files: ["cpu.max": "100000 100000\n"], quota: nil),
        Case(membership: "::\n\n:\n", files: ["cpu.max": "100000 100000"], quota: 1),
        Case(membership: "0::/", files: ["cpu.max": ""], quota: nil),
        Case(membership: "0::/", files: ["cpu.max": "100000"], quota: nil),
        Case(membership: "0::/", files: ["cpu.max": "100000 0"], quota: nil),
        Case(membership: "0::/", files: ["cpu.max": "100000 -5"], quota: nil),
        Case(membership: "0::/", files: ["cpu.max": "99999999999999999999 100000"], quota: nil),
        Case(membership: "0::/", files: ["cpu.max": "9223372036854775807 1"], quota: Int.max),
        Case(membership: "0::/", files: ["cpu.max": "\u{0}\u{1}\u{ff}"], quota: nil),
        Case(membership: "0::/" + String(repeating: "a/", count: 6000), files: ["cpu.max": "200000 100000"], quota: 2),
        Case(membership: "0::/" + String(repeating: "/", count: 3000), files: ["cpu.max": "200000 100000"], quota: 2),
    ]

    @Test(arguments: cases)
    func readsTheQuotaOfControlGroups(_ testCase: Case) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("backbone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, contents) in testCase.files {
            let file = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(contents.utf8).write(to: file)
        }
        let membership = folder.appendingPathComponent("membership")
        try Data(testCase.membership.utf8).write(to: membership)
        #expect(
            ProcessorCount.quota(hierarchy: folder.path, membership: membership.path) == testCase.quota,
            "\(testCase.membership.prefix(40)), \(testCase.files)")
    }

    @Test func toleratesFilesThatAreNotThere() {
        #expect(ProcessorCount.quota(hierarchy: "/nowhere", membership: "/nowhere/cgroup") == nil)
        #expect(ProcessorCount.quota(hierarchy: "/nowhere", membership: "/proc/self/cgroup") == nil)
        #expect(ProcessorCount.quota(hierarchy: "/proc", membership: "/proc") == nil)
    }
}
