// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// How many processors this process may use.
package enum ProcessorCount {
    /// The smaller of the number of CPUs in the affinity mask and the CPU quota of the control groups, rounded up; at
    /// least 1. The limit of a container is often only in the latter.
    package static var available: Int {
        let affinity = Int(shims_affinity_cpu_count())
        let hierarchy: StaticString = "/sys/fs/cgroup"
        let membership: StaticString = "/proc/self/cgroup"
        let quota = quota(
            hierarchy: UnsafeRawPointer(hierarchy.utf8Start).assumingMemoryBound(to: CChar.self),
            membership: UnsafeRawPointer(membership.utf8Start).assumingMemoryBound(to: CChar.self))
        return max(min(affinity, quota ?? affinity), 1)
    }

    /// The smallest quota of the process's control groups and the groups around them, in CPUs rounded up; nil without a
    /// limit, or if it cannot be read.
    ///
    /// - Parameters:
    ///   - hierarchy: Where control groups are mounted: the unified hierarchy (version 2) itself, or a folder for each
    ///     controller (version 1).
    ///   - membership: The file that names the process's groups in lines `id:controllers:path`, where version 2 has the
    ///     id 0 and no controllers.
    package static func quota(hierarchy: UnsafePointer<CChar>, membership: UnsafePointer<CChar>) -> Int? {
        do throws(BackboneError) {
            var groups = try SmallFile()
            groups.read(membership)
            var smallest: Int?
            var reader = try ControlGroupReader()
            var position = 0
            while let line = groups.line(after: &position) {
                guard let first = groups.firstIndex(of: UInt8(ascii: ":"), in: line),
                    let second = groups.firstIndex(of: UInt8(ascii: ":"), in: (first + 1)..<line.upperBound)
                else { continue }
                let controllers = groups.bytes((first + 1)..<second)
                guard controllers.isEmpty || lists(controllers, "cpu") else { continue }
                let path = groups.bytes((second + 1)..<line.upperBound)
                let quota = reader.quota(hierarchy: hierarchy, path: path, isUnified: controllers.isEmpty)
                if let quota { smallest = min(smallest ?? quota, quota) }
            }
            return smallest
        } catch {
            return nil
        }
    }

    /// Whether a comma-separated list contains a word.
    private static func lists(_ list: UnsafeBufferPointer<UInt8>, _ word: StaticString) -> Bool {
        var matched: Int? = 0
        for index in 0..<list.count {
            if list[index] == UInt8(ascii: ",") {
                if matched == word.utf8CodeUnitCount { return true }
                matched = 0
            } else if let count = matched {
                let matches = count < word.utf8CodeUnitCount && list[index] == word.utf8Start[count]
                matched = matches ? count + 1 : nil
            }
        }
        return matched == word.utf8CodeUnitCount
    }
}
