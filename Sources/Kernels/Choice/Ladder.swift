// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// The instruction sets of an architecture, best first: the file `Ladder+...` of each lists them. A CPU is on a rung if
/// it has the instructions of that rung and of all lower ones.
package enum Ladder {}

/// An instruction set.
package struct Rung: Sendable {
    /// Its name in BACKBONE_DISABLE_CPU_FEATURES.
    package let name: StaticString
    /// Floats of a vector.
    package let lanes: Int
    /// See the leaf function; for benchmarks.
    package let multiplicationPeak: @Sendable (_ steps: Int, _ factors: UnsafePointer<Float>) -> Float
    /// Whether the CPU has the instructions and the operating system keeps the registers.
    let isPresent: @Sendable () -> Bool
    /// The kernels for a CPU that has this instruction set and those below.
    let table: @Sendable () -> KernelTable
    /// All kernels in its own vectors, for tests.
    let ownTable: @Sendable () -> KernelTable

    init<Instructions: VectorInstructions>(
        _ name: StaticString, _: Instructions.Type, isPresent: @escaping @Sendable () -> Bool,
        table: @escaping @Sendable () -> KernelTable
    ) {
        self.name = name
        self.isPresent = isPresent
        self.table = table
        lanes = Instructions.lanes
        multiplicationPeak = { Instructions.multiplicationPeak(steps: $0, factors: $1) }
        ownTable = {
            .vector(
                Instructions.self, ConvolutionKernels(.vector(Instructions.self)),
                .vector(Instructions.self, products: Instructions.self))
        }
    }
}

extension Ladder {
    /// The rung that the CPU is on, `count` if none.
    static var detected: Int {
        var best = count
        while best > 0 && Ladder[best - 1].isPresent() { best -= 1 }
        return best
    }

    /// The rung to use: the detected one, unless the environment variable BACKBONE_DISABLE_CPU_FEATURES, a list with
    /// commas, disables it or one below, for tests of the kernels that this CPU would not choose. `count` if none.
    ///
    /// - Throws: `invalidArgument` for an unknown name.
    static func usable() throws(BackboneError) -> Int {
        var best = detected
        guard let list = shims_environment("BACKBONE_DISABLE_CPU_FEATURES") else { return best }
        var name = list
        while name.pointee != 0 {
            let length = Int(strcspn(name, ","))
            if length > 0 {
                guard let disabled = index(ofName: name, length: length) else { throw unknownName(list) }
                best = max(best, disabled + 1)
            }
            name += length
            if name.pointee != 0 { name += 1 }
        }
        return best
    }

    /// The best usable rung; nil if none.
    ///
    /// - Throws: See `usable`.
    package static func best() throws(BackboneError) -> Rung? {
        let index = try usable()
        return index < count ? Ladder[index] : nil
    }

    private static func index(ofName name: UnsafePointer<CChar>, length: Int) -> Int? {
        for index in 0..<count where Ladder[index].name.utf8CodeUnitCount == length {
            if memcmp(name, Ladder[index].name.utf8Start, length) == 0 { return index }
        }
        return nil
    }

    private static func unknownName(_ list: UnsafePointer<CChar>) -> BackboneError {
        var names = Message()
        for index in (0..<count).reversed() {
            names.append(Ladder[index].name)
            if index > 0 { names.append(", ") }
        }
        return BackboneError(
            .invalidArgument, "BACKBONE_DISABLE_CPU_FEATURES is \(list), expected a list of: \(names)")
    }
}

extension KernelTable {
    /// The fastest table for this CPU.
    ///
    /// - Throws: `invalidArgument`, see `Ladder.usable`; `io` if the portable kernels have no OpenBLAS.
    package static func best() throws(BackboneError) -> KernelTable {
        if let rung = try Ladder.best() { return rung.table() }
        try OpenBLAS.load()
        return .portable
    }
}
